using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Runtime.MembershipService.SiloMetadata;
using Session.Orleans.ConsolePage.Hosting;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Grains;
using Session.Orleans.Grains.Placement;
using Session.Orleans.Grains.Snapshots;
using Session.Orleans.Storage;
using Session.Orleans.Storage.Blobs;
using Session.Orleans.Storage.Communities;
using Session.Orleans.Storage.Files;
using Session.Orleans.Storage.S3;
using Session.Orleans.Storage.Snapshots;
using StackExchange.Redis;

namespace Session.Orleans.Silo;

/// <summary>Puts a silo with its gateway together: options, store, Orleans, telemetry, HTTP.</summary>
public static class SiloHost
{
    /// <summary>Prefix of environment variables that set options, for example <c>SESSION_Network__Nodes</c>.</summary>
    public const string EnvironmentPrefix = "SESSION_";

    /// <summary>Environment variable that names a JSON file with options; variables of the environment win over it.</summary>
    public const string FileVariable = EnvironmentPrefix + "CONFIG";

    private const string TakesClients = $"{Gateway.Hosting.GatewayOptions.Section}:{nameof(Gateway.Hosting.GatewayOptions.TakesClients)}";

    private const string ServiceId = "session-orleans";

    /// <summary>
    /// Builds the host. Options come from the file that <see cref="FileVariable"/> names, over it from the environment, and over both from
    /// <paramref name="settings"/>, whose keys are option names such as <c>Gateway:SeedPort</c>.
    /// </summary>
    /// <param name="settings">Option names and values.</param>
    /// <param name="configure">Called last, to replace or add services: a clock, a wrapped store.</param>
    /// <param name="store">How to reach the store, for one that text cannot describe; null takes <c>Silo:Redis</c>.</param>
    /// <param name="defaults">Option names and values over which the file and the environment win.</param>
    /// <exception cref="ValidationException">An option is out of its range or unknown, or the file can't be read; the message names it.</exception>
    /// <exception cref="InvalidOperationException">The store can't be reached, or the bucket for files.</exception>
    public static async Task<WebApplication> BuildAsync(
        IEnumerable<KeyValuePair<string, string?>> settings, Action<WebApplicationBuilder>? configure = null, ConfigurationOptions? store = null,
        IEnumerable<KeyValuePair<string, string?>>? defaults = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.AddInMemoryCollection(defaults);
        AddConfiguration(builder.Configuration, settings);
        builder.Services.AddSingleton(GatewayCertificate.BeginKey(builder.Configuration.GetSection(Gateway.Hosting.GatewayOptions.Section)));
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.AddSessionLogging();

        var silo = Get<SiloOptions>(builder, SiloOptions.Section);
        if (!IPAddress.TryParse(silo.AdvertisedAddress, out var address))
            throw new ValidationException($"Silo:AdvertisedAddress must be an IP address, not '{silo.AdvertisedAddress}'.");

        if (store is null && string.IsNullOrWhiteSpace(silo.Redis))
            throw new ValidationException("Silo:Redis must be a connection string.");
        var redis = store?.Clone() ?? ConfigurationOptions.Parse(silo.Redis);
        redis.AbortOnConnectFail = false; // a store that restarts is waited for; only the first connection must succeed
        var connection = await ConnectAsync(redis, silo.StoreWait);

        await PublicAddress.ResolveAsync(builder.Configuration, silo.StoreWait);
        if (silo.Role is SiloRole.Silo)
            builder.Configuration[TakesClients] = bool.FalseString;
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = silo.DrainDelay + silo.ShutdownTimeout);
        builder.Services.Configure<DrainOptions>(drain => drain.Delay = silo.DrainDelay);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<IConnectionMultiplexer>(connection);
        builder.Services.AddSingleton(services => new RedisMailboxStore(
            connection, services.GetRequiredService<TimeProvider>(),
            new() { MaxRevocations = services.GetRequiredService<IOptions<LimitOptions>>().Value.Revocations }, services.GetRequiredService<StorageMetrics>()));
        builder.Services.AddSingleton<IMailboxStore>(services => services.GetRequiredService<RedisMailboxStore>());
        builder.Services.AddSingleton<ISnapshotPart, MailboxSnapshotPart>();
        var walk = new KeyWalk(connection, redis);
        builder.Services.AddSingleton(walk);
        builder.Services.AddSingleton<IGrainStateKeys>(new RedisGrainStateKeys(walk, connection.GetDatabase().Database, ServiceId));
        builder.Services.AddSingleton(new MailboxCensus(connection, walk: walk));
        builder.Services.AddSingleton<ICommunityStore>(services => new RedisCommunityStore(connection, metrics: services.GetRequiredService<StorageMetrics>()));
        builder.Services.AddSingleton(await CreateBlobStoreAsync(builder, connection));
        builder.Services.AddSingleton(new BlobSchedule(connection));
        builder.Services.AddSingleton(new CommunityArchive(connection, walk: walk));
        builder.Services.AddSingleton<ISnapshotPart, FileSnapshotPart>();
        builder.Services.AddSingleton(services => new FileStore(
            connection, services.GetRequiredService<IBlobStore>(), services.GetRequiredService<TimeProvider>(), walk: walk));
        builder.UseOrleans(orleans => orleans
            .Configure<ClusterOptions>(cluster =>
            {
                cluster.ClusterId = silo.ClusterId;
                cluster.ServiceId = ServiceId;
            })
            .ConfigureEndpoints(address, silo.Port, gatewayPort: 0, listenOnAnyHostAddress: !IPAddress.IsLoopback(address))
            .UseRedisClustering(clustering => clustering.ConfigurationOptions = redis)
            .AddRedisGrainStorage(NetworkStorageName, storage => storage.ConfigurationOptions = redis)
            .AddRedisGrainStorage(NameStorageName, storage => storage.ConfigurationOptions = redis)
            .Configure<ClusterMembershipOptions>(DetectFailuresQuickly)
            .Configure<global::Orleans.Configuration.SiloOptions>(self => self.SiloName = silo.Name ?? self.SiloName)
            .UseSiloMetadata(new Dictionary<string, string> { [SiloRoles.MetadataKey] = silo.Role.ToString() })
            .AddSessionGrains()
            .AddSessionConsole(builder.Configuration));
        builder.AddSessionGateway();
        builder.AddSessionConsole();
        builder.AddSessionTelemetry(silo, ServiceId);
        configure?.Invoke(builder);

        var app = builder.Build();
        OptionNames.Check(builder.Configuration, app.Services.GetServices<OptionSection>());
        app.UseSessionGateway(admin => admin.UseSessionConsole());
        return app;
    }

    private static void AddConfiguration(ConfigurationManager configuration, IEnumerable<KeyValuePair<string, string?>> settings)
    {
        if (Environment.GetEnvironmentVariable(FileVariable) is { Length: > 0 } file)
        {
            try
            {
                configuration.AddJsonFile(Path.GetFullPath(file), optional: false);
            }
            catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException or InvalidDataException)
            {
                throw new ValidationException($"{FileVariable}: {exception.Message}{(exception.InnerException is { } inner ? " " + inner.Message : "")}");
            }
        }

        configuration.AddEnvironmentVariables(EnvironmentPrefix).AddInMemoryCollection(settings);
    }

    /// <summary>Options that are needed while the host is put together.</summary>
    private static TOptions Get<TOptions>(WebApplicationBuilder builder, string section)
        where TOptions : class, new()
    {
        builder.Services.AddSingleton(new OptionSection(section, typeof(TOptions)));
        TOptions options;
        try
        {
            options = builder.Configuration.GetSection(section).Get<TOptions>() ?? new();
        }
        catch (InvalidOperationException exception)
        {
            throw new ValidationException(exception.Message); // names option and value
        }

        var errors = SectionOptions.FindErrors(section, options);
        return errors.Count == 0 ? options : throw new ValidationException(string.Join(' ', errors));
    }

    private static readonly TimeSpan StorePause = TimeSpan.FromSeconds(1);

    private const string NetworkStorageName = "network";
    private const string NameStorageName = "names";

    /// <summary>
    /// With Orleans' defaults the grains of a killed silo answer no one for 10 to 20 s; clients give a request 10 s.
    /// </summary>
    private static void DetectFailuresQuickly(ClusterMembershipOptions membership)
    {
        // A silo is asked about this often whether it lives, and has this long to answer. Orleans adapts the time to the answers it gets, but no
        // shorter for a silo that is quick, or a pause of the machine would look like death, and not much longer for one that is slow: whoever has
        // heard anything of a silo in the longest time that three questions can take does not vote against it. With Orleans' 8 s that was 24 s.
        membership.ProbeTimeout = TimeSpan.FromSeconds(2);
        membership.MinProbeTimeout = membership.ProbeTimeout;
        membership.MaxProbeTimeout = TimeSpan.FromSeconds(2.5);
        // One missed answer may be a pause of the garbage collector, and two a bad moment; three in a row are a dead silo.
        membership.NumMissedProbesLimit = 3;
        // Two silos must agree, lest one with a broken network of its own declares all the others dead. Where only one other is left, it decides.
        membership.NumVotesForDeathDeclaration = 2;
        // Changes are gossiped; reading the table is the safety net for gossip that got lost.
        membership.TableRefreshTimeout = TimeSpan.FromSeconds(10);
        // Where a whole cluster was killed, nobody is left to declare its silos dead. A starting one that can't reach them waits until they
        // have not signed the table three times in a row; with Orleans' 30 s between two signatures that was a minute and a half.
        membership.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(5);
        // The table keeps lines of dead silos, one for each process that ever was: gone after an hour.
        membership.DefunctSiloExpiration = TimeSpan.FromHours(1);
        membership.DefunctSiloCleanupPeriod = TimeSpan.FromMinutes(10);
    }

    private static async Task<IBlobStore> CreateBlobStoreAsync(WebApplicationBuilder builder, ConnectionMultiplexer connection)
    {
        var s3 = Get<FileStorageOptions>(builder, FileStorageOptions.Section);
        if (s3.Bucket is not { } bucket)
            return new RedisBlobStore(connection);
        if (s3.AccessKey is null != s3.SecretKey is null)
            throw new ValidationException("Files:S3:AccessKey and Files:S3:SecretKey belong together; only one is given.");
        var store = new S3BlobStore(new()
        {
            Bucket = bucket,
            Endpoint = s3.Endpoint is { } endpoint ? new(endpoint) : null,
            Region = s3.Region,
            Prefix = s3.Prefix,
            AccessKey = s3.AccessKey,
            SecretKey = s3.SecretKey,
        });
        await store.CheckAsync();
        return store;
    }

    private static async Task<ConnectionMultiplexer> ConnectAsync(ConfigurationOptions redis, TimeSpan wait)
    {
        var first = redis.Clone();
        first.AbortOnConnectFail = true;
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                await using (await ConnectionMultiplexer.ConnectAsync(first))
                    return await ConnectionMultiplexer.ConnectAsync(redis);
            }
            catch (RedisConnectionException exception) when (Stopwatch.GetElapsedTime(start) >= wait)
            {
                throw new InvalidOperationException(
                    $"The store at {string.Join(", ", redis.EndPoints)} can't be reached: {exception.FailureType}.", exception);
            }
            catch (RedisConnectionException)
            {
                // In a cluster that starts as a whole the store may come last.
                await Task.Delay(StorePause);
            }
        }
    }
}
