using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Session.Orleans.Testnet.Cluster;

/// <summary>
/// Where other commands of this machine reach the process that keeps a cluster: HTTP over a socket in the network's folder, which only the
/// folder's owner may open.
/// </summary>
internal static class SupervisorDoor
{
    /// <summary>Name of the socket in the network's folder.</summary>
    public const string FileName = "supervisor.sock";

    // Linux' limit for a socket's path, with its end mark.
    private const int LongestPath = 107;

    /// <summary>Opens the door.</summary>
    /// <exception cref="CommandException">The folder's name is too long for a socket in it.</exception>
    public static async Task<WebApplication> OpenAsync(Supervisor supervisor, string directory)
    {
        var path = PathIn(directory);
        if (path.Length > LongestPath)
            throw new CommandException(ExitCodes.Usage, $"'{path}' is too long for a socket; take a shorter --data.");
        File.Delete(path); // a killed process leaves it behind
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(path));
        var app = builder.Build();
        app.MapPost("/scale", (int silos, CancellationToken cancellationToken) => AnswerAsync(supervisor.ScaleAsync(silos, cancellationToken)));
        app.MapPost("/restart", (CancellationToken cancellationToken) => AnswerAsync(supervisor.RestartAsync(cancellationToken)));
        await app.StartAsync();
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return app;
    }

    /// <summary>Gives the process that keeps the cluster on <paramref name="directory"/> an order and waits until it is carried out.</summary>
    /// <exception cref="CommandException">None runs there, or it could not.</exception>
    public static async Task OrderAsync(string directory, string order, CancellationToken cancellationToken)
    {
        var path = PathIn(directory);
        using var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancel) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancel);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        using var http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan }; // the processes' own limits end it
        try
        {
            using var response = await http.PostAsync(new Uri($"http://localhost/{order}"), null, cancellationToken);
            if (!response.IsSuccessStatusCode)
                throw new CommandException(ExitCodes.Failed, await response.Content.ReadAsStringAsync(cancellationToken));
        }
        catch (HttpRequestException)
        {
            throw new CommandException(ExitCodes.NotRunning, $"No cluster runs on '{directory}': 'session-testnet up --silos N' starts one.");
        }
    }

    private static string PathIn(string directory) => Path.Combine(Path.GetFullPath(directory), FileName);

    private static async Task<IResult> AnswerAsync(Task work)
    {
        try
        {
            await work;
            return TypedResults.NoContent();
        }
        catch (CommandException exception)
        {
            return TypedResults.Text(exception.Message, statusCode: StatusCodes.Status409Conflict);
        }
    }
}
