using System.CommandLine;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet completion</c>: scripts that let a shell complete commands, options, nodes, swarms and faults.</summary>
internal static class CompletionCommand
{
    // The directive [suggest:N] answers with what can stand at character N of the command line that follows it, without the program's name.
    private const string Bash = """
        # session-testnet: completion for bash. Load it with: source <(session-testnet completion bash)
        _session_testnet() {
            local line="${COMP_LINE:0:COMP_POINT}"
            local program="${line%% *}"
            line="${line#"$program"}"
            line="${line# }"
            local IFS=$'\n'
            COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" "[suggest:${#line}]" "$line" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _session_testnet session-testnet

        """;

    private const string Zsh = """
        #compdef session-testnet
        # session-testnet: completion for zsh. Load it with: source <(session-testnet completion zsh)
        _session_testnet() {
            local line="${(j: :)words[2,CURRENT]}"
            local -a found
            found=("${(@f)$(${words[1]} "[suggest:${#line}]" "$line" 2>/dev/null)}")
            [[ -n "$found" ]] && compadd -- "${found[@]}" || _files
        }
        compdef _session_testnet session-testnet

        """;

    private const string Fish = """
        # session-testnet: completion for fish. Load it with: session-testnet completion fish | source
        function __session_testnet_complete
            set -l tokens (commandline -opc) (commandline -ct)
            set -l line (string join -- ' ' $tokens[2..-1])
            $tokens[1] "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete -c session-testnet -a '(__session_testnet_complete)'

        """;

    private static readonly Argument<string> Shell = new Argument<string>("SHELL") { Description = "Shell to complete in" }.AcceptOnlyFromAmong("bash", "zsh", "fish");

    public static Command Create()
    {
        var command = new Command("completion", "Prints a script that completes commands in a shell") { Shell };
        command.SetAction(options => Console.Out.Write(options.GetValue(Shell) switch
        {
            "bash" => Bash,
            "zsh" => Zsh,
            _ => Fish,
        }));
        return command;
    }
}
