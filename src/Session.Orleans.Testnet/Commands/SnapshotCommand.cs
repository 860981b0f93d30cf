using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Session.Orleans.Gateway.Admin;
using Session.Orleans.Grains.Snapshots;
using Session.Orleans.Storage.Snapshots;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet snapshot</c>: the whole network in one file.</summary>
internal static class SnapshotCommand
{
    // All mailboxes of a large network take their time.
    private static readonly TimeSpan Limit = TimeSpan.FromHours(1);

    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();
    private static readonly Argument<string> Source = new("FILE") { Description = "The snapshot" };
    private static readonly Argument<string> Target = new("FILE") { Description = "Where to save it; an older snapshot there is replaced once the new one is whole" };

    public static Command Create()
    {
        var save = new Command("save", "Saves registry, height, ledger, labels, names and all mailboxes; the network goes on meanwhile") { Target, Data, Output };
        save.SetAction(SaveAsync);
        var restore = new Command("restore", "Makes the running network what it was then; what it holds now is gone") { Source, Data, Output };
        restore.SetAction(RestoreAsync);
        var show = new Command("show", "Checks a snapshot and says what is in it; needs no network") { Source, Output };
        show.SetAction(ShowAsync);
        return new Command("snapshot", "Saves the whole network to one file, and restores it") { save, restore, show };
    }

    private static async Task<int> SaveAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var target = options.GetValue(Target)!;
        var unfinished = target + ".part";
        using var admin = AdminClient.Open(options.GetValue(Data)!, Limit);
        SnapshotReport report;
        try
        {
            await using (var file = Open(unfinished, FileMode.Create))
            {
                await admin.SaveSnapshotAsync(file, cancellationToken);
                report = await CheckAsync(file, cancellationToken);
            }

            File.Move(unfinished, target, overwrite: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Failed, $"The snapshot can't be saved: {exception.Message}");
        }
        finally
        {
            File.Delete(unfinished);
        }

        return Print("saved", report, options);
    }

    private static async Task<int> RestoreAsync(ParseResult options, CancellationToken cancellationToken)
    {
        await using var file = Open(options.GetValue(Source)!, FileMode.Open);
        // The network checks it as well; what is damaged need not be sent to it.
        await CheckAsync(file, cancellationToken);
        file.Position = 0;
        using var admin = AdminClient.Open(options.GetValue(Data)!, Limit);
        return Print("restored", (await admin.RestoreSnapshotAsync(file, cancellationToken)).Value, options);
    }

    private static async Task<int> ShowAsync(ParseResult options, CancellationToken cancellationToken)
    {
        await using var file = Open(options.GetValue(Source)!, FileMode.Open);
        return Print("snapshot", await CheckAsync(file, cancellationToken), options);
    }

    private static async Task<SnapshotReport> CheckAsync(FileStream file, CancellationToken cancellationToken)
    {
        try
        {
            return SnapshotReport.Of(file.Length, await SnapshotFile.CheckAsync(file, NetworkSnapshots.Formats, cancellationToken));
        }
        catch (SnapshotException exception)
        {
            throw new CommandException(ExitCodes.Failed, $"{file.Name}: {exception.Message}");
        }
    }

    private static FileStream Open(string path, FileMode mode)
    {
        try
        {
            return new(path, mode, mode is FileMode.Open ? FileAccess.Read : FileAccess.ReadWrite);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Failed, exception.Message);
        }
    }

    private static string Count(long number, string one, string many) =>
        string.Create(CultureInfo.InvariantCulture, $"{number:#,0} {(number == 1 ? one : many)}");

    private static int Print(string what, SnapshotReport report, ParseResult options)
    {
        Console.WriteLine(options.GetValue(Output) is OutputFormat.Json
            ? JsonSerializer.Serialize(report, AdminJsonContext.Default.SnapshotReport)
            : string.Create(CultureInfo.InvariantCulture,
                $"{what}: block {report.Height}, {Count(report.Nodes, "node", "nodes")}, {Count(report.Messages, "message", "messages")} in {Count(report.Mailboxes, "mailbox", "mailboxes")}, {Count(report.Names, "name", "names")}, {Count(report.Posts, "post", "posts")} in {Count(report.Rooms, "room", "rooms")}, {Count(report.Files, "file", "files")}, {report.Bytes:#,0} bytes"));
        return ExitCodes.Ok;
    }
}
