using LoraKernels.Native;
using NUnit.Framework;

namespace LoraKernels.Tests;

/// <summary>
/// Runs every test of this assembly in leak-report mode, and fails the run when anything native is left afterwards.
/// </summary>
[SetUpFixture]
public sealed class SuiteLeakCheck
{
    [OneTimeSetUp]
    public void TrackHandles() => HandleTracker.Enabled = true;

    [OneTimeTearDown]
    public void NothingIsLeft()
    {
        // Twice: what the first round finalizes may have kept others alive.
        for (int round = 0; round < 2; round++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        // The test adapter prints a tear-down that fails, and still calls the run passed; a host that ends is not
        // overlooked.
        if (Describe() is { Length: > 0 } report)
            Environment.FailFast(report);
    }

    private static string Describe()
    {
        string[] handles =
        [
            .. HandleTracker.Leaked.Select(handle => Describe("never disposed", handle)),
            .. HandleTracker.Live.Select(handle => Describe("still in use", handle)),
        ];
        long native = LoraKernelsLibrary.LiveHandles;
        return handles.Length == 0 && native == 0
            ? ""
            : $"The tests leaked; the native library counts {native} live handles."
                + string.Concat(handles.Select(handle => Environment.NewLine + handle));
    }

    private static string Describe(string state, LeakedHandle handle) =>
        $"{state}: {handle.Type}, made{Environment.NewLine}{handle.AllocationStack}";
}
