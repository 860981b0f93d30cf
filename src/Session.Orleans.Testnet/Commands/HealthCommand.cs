using System.CommandLine;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet health</c>: a health check for containers, whose image has neither a shell nor a tool that could ask.</summary>
internal static class HealthCommand
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(4);

    private static readonly Argument<string> Url = new("URL")
    {
        Description = "What to ask: a health check of a process, by default whether the one on this machine is ready",
        DefaultValueFactory = _ => "http://127.0.0.1:22001/health/ready",
    };

    public static Command Create()
    {
        var command = new Command("health", "Asks a process whether it is well. Exit code 0 if it says so, 4 if not, 3 if there is no answer") { Url };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var text = options.GetValue(Url)!;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
            throw new CommandException(ExitCodes.Usage, $"'{text}' must be an address that begins with http:// or https://.");
        using var http = new HttpClient { Timeout = Limit };
        try
        {
            using var response = await http.GetAsync(url, cancellationToken);
            if (!response.IsSuccessStatusCode)
                throw new CommandException(ExitCodes.CheckFailed, $"{url} answers {(int)response.StatusCode}.");
            Console.WriteLine(await response.Content.ReadAsStringAsync(cancellationToken));
            return ExitCodes.Ok;
        }
        catch (HttpRequestException exception)
        {
            throw new CommandException(ExitCodes.NotRunning, $"{url} does not answer: {exception.HttpRequestError}.");
        }
        catch (TaskCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(ExitCodes.NotRunning, $"{url} does not answer within {Limit.TotalSeconds} s.");
        }
    }
}
