namespace Session.Orleans.EmbeddedStore;

/// <summary>How the embedded store runs. The defaults suit a laptop.</summary>
public sealed class EmbeddedStoreOptions
{
    /// <summary>Configuration section with these options.</summary>
    public const string Section = "EmbeddedStore";

    /// <summary>
    /// TCP port on the loopback address, for other processes; 0 takes a free one. Null, the default, does not listen: this process needs
    /// no port, see <see cref="EmbeddedStore.Configure"/>.
    /// </summary>
    public int? Port { get; set; }

    /// <summary>
    /// Directory that holds the data. Null, the default: nothing survives the process, and what does not fit into memory goes to a
    /// temporary directory. With a directory every acknowledged write is in its append-only file, and is there again after the process
    /// was killed; see <see cref="FlushToDisk"/> for the machine's own crash. One process at a time can use a directory.
    /// </summary>
    public string? Directory { get; set; }

    /// <summary>
    /// With a directory: acknowledge a write only when the disk has confirmed it, so that it survives a power failure too. False, the
    /// default, acknowledges when the operating system has the write.
    /// </summary>
    public bool FlushToDisk { get; set; }

    /// <summary>
    /// Memory for data in MiB, a power of two, 64 at least; 256 by default. Taken as it is needed. Older data goes to disk, so the
    /// store may hold many times as much.
    /// </summary>
    public int MemoryMiB { get; set; } = 256;

    /// <summary>
    /// With a directory: size in MiB, a power of two, 16 at least, at which the append-only file is replaced by a checkpoint; 256 by
    /// default. Bounds the disk space it takes and the time a start needs to replay it.
    /// </summary>
    public int AppendOnlyFileMiB { get; set; } = 256;
}
