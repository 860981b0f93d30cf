using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Grains;
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

    private const string ServiceId = "session-orleans";

    /// <summary>
    /// Builds the host. Options come from the environment and then from <paramref name="settings"/>, whose keys are option names such as
    /// <c>Gateway:SeedPort</c>.
    /// </summary>
    /// <param name="settings">Option names and values.</param>
    /// <param name="configure">Called last, to replace or add services: a clock, a wrapped store.</param>
    /// <param name="store">How to reach the store, for one that text cannot describe; null takes <c>Silo:Redis</c>.</param>
    /// <exception cref="ValidationException">An option is out of its range; the message names it.</exception>
    /// <exception cref="InvalidOperationException">The store can't be reached, or the bucket for files.</exception>
    public static async Task<WebApplication> BuildAsync(
        IEnumerable<KeyValuePair<string, string?>> settings, Action<WebApplicationBuilder>? configure = null, ConfigurationOptions? store = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.AddEnvironmentVariables(EnvironmentPrefix).AddInMemoryCollection(settings);
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.AddSessionLogging();

        var silo = builder.Configuration.GetSection(SiloOptions.Section).Get<SiloOptions>() ?? new();
        Validator.ValidateObject(silo, new ValidationContext(silo), validateAllProperties: true);
        if (!IPAddress.TryParse(silo.AdvertisedAddress, out var address))
            throw new ValidationException($"Silo:AdvertisedAddress must be an IP address, not '{silo.AdvertisedAddress}'.");

        if (store is null && string.IsNullOrWhiteSpace(silo.Redis))
            throw new ValidationException("Silo:Redis must be a connection string.");
        var redis = store?.Clone() ?? ConfigurationOptions.Parse(silo.Redis);
        redis.AbortOnConnectFail = false; // a store that restarts is waited for; only the first connection must succeed
        var connection = await ConnectAsync(redis);

        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = silo.ShutdownTimeout);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<IConnectionMultiplexer>(connection);
        builder.Services.AddSingleton(services => new RedisMailboxStore(
            connection, services.GetRequiredService<TimeProvider>(),
            new() { MaxRevocations = services.GetRequiredService<IOptions<LimitOptions>>().Value.Revocations }));
        builder.Services.AddSingleton<IMailboxStore>(services => services.GetRequiredService<RedisMailboxStore>());
        builder.Services.AddSingleton<ISnapshotPart, MailboxSnapshotPart>();
        builder.Services.AddSingleton<IGrainStateKeys>(new RedisGrainStateKeys(connection, ServiceId));
        builder.Services.AddSingleton(new MailboxCensus(connection));
        builder.Services.AddSingleton<ICommunityStore>(new RedisCommunityStore(connection));
        builder.Services.AddSingleton(await CreateBlobStoreAsync(builder.Configuration, connection));
        builder.Services.AddSingleton(services => new FileStore(
            connection, services.GetRequiredService<IBlobStore>(), services.GetRequiredService<TimeProvider>()));
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
            .AddSessionGrains());
        builder.AddSessionGateway();
        builder.AddSessionTelemetry();
        configure?.Invoke(builder);

        var app = builder.Build();
        app.UseSessionGateway();
        return app;
    }

    private const string NetworkStorageName = "network";
    private const string NameStorageName = "names";

    /// <summary>
    /// With Orleans' defaults the grains of a killed silo answer no one for 10 to 20 s; clients give a request 10 s.
    /// </summary>
    private static void DetectFailuresQuickly(ClusterMembershipOptions membership)
    {
        // A silo is asked about this often whether it lives, and has this long to answer. Orleans adapts the time to the answers it gets: up
        // to four times as long for a silo that is slow, but no shorter for one that is quick, or a pause of the machine would look like death.
        membership.ProbeTimeout = TimeSpan.FromSeconds(2);
        membership.MinProbeTimeout = membership.ProbeTimeout;
        // One missed answer may be a pause of the garbage collector, and two a bad moment; three in a row are a dead silo.
        membership.NumMissedProbesLimit = 3;
        // Two silos must agree, lest one with a broken network of its own declares all the others dead. Where only one other is left, it decides.
        membership.NumVotesForDeathDeclaration = 2;
        // Changes are gossiped; reading the table is the safety net for gossip that got lost.
        membership.TableRefreshTimeout = TimeSpan.FromSeconds(10);
    }

    private static async Task<IBlobStore> CreateBlobStoreAsync(ConfigurationManager configuration, ConnectionMultiplexer connection)
    {
        var s3 = configuration.GetSection(FileStorageOptions.Section).Get<FileStorageOptions>() ?? new();
        Validator.ValidateObject(s3, new ValidationContext(s3), validateAllProperties: true);
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

    private static async Task<ConnectionMultiplexer> ConnectAsync(ConfigurationOptions redis)
    {
        var first = redis.Clone();
        first.AbortOnConnectFail = true;
        try
        {
            await using (await ConnectionMultiplexer.ConnectAsync(first))
                return await ConnectionMultiplexer.ConnectAsync(redis);
        }
        catch (RedisConnectionException exception)
        {
            throw new InvalidOperationException(
                $"The store at {string.Join(", ", redis.EndPoints)} can't be reached: {exception.FailureType}.", exception);
        }
    }
}
