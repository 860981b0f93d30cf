using System.CommandLine;
using System.Net.Http.Headers;
using System.Text.Json;
using Session.Orleans.Gateway.Admin;
using Spectre.Console;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet status</c>: the running network at a glance.</summary>
internal static class StatusCommand
{
    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("status", "Shows height, nodes, swarms and live messages of the running network") { Data, Output };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var network = TestnetDescription.Load(options.GetValue(Data)!);
        var json = await FetchAsync(network, cancellationToken);
        if (options.GetValue(Output) is OutputFormat.Json)
        {
            Console.WriteLine(json);
            return ExitCodes.Ok;
        }

        var status = JsonSerializer.Deserialize(json, AdminJsonContext.Default.NetworkStatus)!;
        var table = new Table { Border = TableBorder.Rounded };
        table.AddColumns("network", network.SeedUrl);
        table.AddRow("height", $"{status.Height}  ({status.BlockHash[..16]}…)");
        table.AddRow("hard fork", status.HardFork);
        table.AddRow("service nodes", $"{status.ActiveNodes} active of {status.Nodes}");
        table.AddRow("swarms", string.Join("\n", status.Swarms.Select(swarm => $"{swarm.Id,-16}  {swarm.Members} members")));
        table.AddRow("mailboxes", $"{status.Mailboxes}");
        table.AddRow("live messages", $"{status.LiveMessages}");
        AnsiConsole.Write(table);
        return ExitCodes.Ok;
    }

    private static async Task<string> FetchAsync(TestnetDescription network, CancellationToken cancellationToken)
    {
        try
        {
            using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
            using var request = new HttpRequestMessage(HttpMethod.Get, network.AdminUrl + "/v1/status");
            var token = (await File.ReadAllTextAsync(network.AdminTokenFile, cancellationToken)).Trim();
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            using var response = await http.SendAsync(request, cancellationToken);
            return response.IsSuccessStatusCode
                ? await response.Content.ReadAsStringAsync(cancellationToken)
                : throw new CommandException(ExitCodes.Failed, $"The admin API at {network.AdminUrl} answered {(int)response.StatusCode}.");
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.NotRunning, $"The admin API at {network.AdminUrl} can't be asked: {exception.Message}");
        }
    }
}
