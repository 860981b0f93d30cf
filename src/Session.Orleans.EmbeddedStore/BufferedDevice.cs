using System.Collections.Concurrent;
using Microsoft.Win32.SafeHandles;
using Tsavorite.core;

namespace Session.Orleans.EmbeddedStore;

/// <summary>
/// Files written through the operating system's cache: a write is over when the system has it, which a kill of the process cannot undo.
/// The server's own devices wait for the disk with every write, which costs a lone append a millisecond. Everything but writing is left
/// to such a device.
/// </summary>
internal sealed class BufferedDevice(IDevice inner, WriteFailure failure) : StorageDeviceBase(inner.FileName, inner.SectorSize, inner.Capacity)
{
    private readonly ConcurrentDictionary<int, Lazy<SafeFileHandle>> _handles = new();

    public override void Initialize(long segmentSize, LightEpoch epoch, bool omitSegmentIdFromFilename)
    {
        base.Initialize(segmentSize, epoch, omitSegmentIdFromFilename);
        inner.Initialize(segmentSize, epoch, omitSegmentIdFromFilename);
    }

    public override bool Throttle() => false;

    public override void WriteAsync(
        IntPtr sourceAddress, int segmentId, ulong destinationAddress, uint numBytesToWrite, DeviceIOCompletionCallback callback,
        object context)
    {
        Exception? refused = null;
        try
        {
            // Copying into the cache takes microseconds, less than handing it to another thread.
            unsafe
            {
                RandomAccess.Write(
                    Handle(segmentId), new ReadOnlySpan<byte>((void*)sourceAddress, (int)numBytesToWrite), (long)destinationAddress);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            refused = e;
        }

        if (refused is null)
        {
            callback(0, numBytesToWrite, context, null);
            return;
        }

        failure.Report(refused); // before anybody takes the write for done
        callback(uint.MaxValue, 0, context, refused);
    }

    public override void ReadAsync(
        int segmentId, ulong sourceAddress, IntPtr destinationAddress, uint readLength, DeviceIOCompletionCallback callback,
        object context) =>
        inner.ReadAsync(segmentId, sourceAddress, destinationAddress, readLength, callback, context);

    public override bool TryComplete() => inner.TryComplete();

    public override long GetFileSize(int segment) => inner.GetFileSize(segment);

    public override void RemoveSegment(int segment)
    {
        Close(segment);
        inner.RemoveSegment(segment);
    }

    public override void RemoveSegmentAsync(int segment, AsyncCallback callback, IAsyncResult result)
    {
        Close(segment);
        inner.RemoveSegmentAsync(segment, callback, result);
    }

    public override void Reset()
    {
        CloseAll();
        inner.Reset();
    }

    public override void Dispose()
    {
        CloseAll();
        inner.Dispose();
    }

    private SafeFileHandle Handle(int segment) => _handles.GetOrAdd(
        segment,
        static (id, device) => new Lazy<SafeFileHandle>(() => File.OpenHandle(
            device.GetSegmentFilename(device.FileName, id), FileMode.OpenOrCreate, FileAccess.Write,
            FileShare.ReadWrite | FileShare.Delete)),
        this).Value;

    private void Close(int segment)
    {
        if (_handles.TryRemove(segment, out var handle) && handle.IsValueCreated)
            handle.Value.Dispose();
    }

    private void CloseAll()
    {
        foreach (var segment in _handles.Keys)
            Close(segment);
    }
}

/// <summary>Puts a <see cref="BufferedDevice"/> in front of every file of another factory.</summary>
internal sealed class BufferedDeviceFactoryCreator(INamedDeviceFactoryCreator inner, WriteFailure failure) : INamedDeviceFactoryCreator
{
    public INamedDeviceFactory Create(string baseName) => new Factory(inner.Create(baseName), failure);

    private sealed class Factory(INamedDeviceFactory inner, WriteFailure failure) : INamedDeviceFactory
    {
        public IDevice Get(FileDescriptor fileInfo) => new BufferedDevice(inner.Get(fileInfo), failure);

        public void Delete(FileDescriptor fileInfo) => inner.Delete(fileInfo);

        public IEnumerable<FileDescriptor> ListContents(string path) => inner.ListContents(path);
    }
}
