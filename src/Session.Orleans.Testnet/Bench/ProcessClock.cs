using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Session.Orleans.Testnet.Bench;

/// <summary>
/// Processor time of another process. What the system tells of a process counts in hundredths of a second; on Linux its clock is asked instead,
/// which counts nanoseconds, and those of threads that have ended as well.
/// </summary>
internal sealed class ProcessClock
{
    private readonly Process _process;
    private readonly int? _clock;

    public ProcessClock(Process process)
    {
        _process = process;
        _clock = OperatingSystem.IsLinux() && GetClock(process.Id, out var clock) == 0 ? clock : null;
    }

    /// <summary>Processor time that the process has taken so far.</summary>
    public TimeSpan Elapsed
    {
        get
        {
            if (_clock is { } clock && GetTime(clock, out var time) == 0)
                return TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromMicroseconds(time.Nanoseconds / 1000.0);
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    [DllImport("libc", EntryPoint = "clock_getcpuclockid"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int GetClock(int process, out int clock);

    [DllImport("libc", EntryPoint = "clock_gettime"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int GetTime(int clock, out Time time);

    [StructLayout(LayoutKind.Sequential)]
    private struct Time
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
