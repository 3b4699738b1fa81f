using System.Runtime.CompilerServices;
using LoraKernels.Native;
using NUnit.Framework;

namespace LoraKernels.Tests.Api;

/// <summary>Every kind of object, left to the garbage collector on purpose; the suite's mode reports it.</summary>
public sealed class LeakReportTests
{
    [TestCaseSource(nameof(Makers))]
    public void LeftObjectIsReportedWithItsTypeAndOrigin(string type, Action<Device> make)
    {
        using Device device = Device.OpenCpu();
        long before = LoraKernelsLibrary.LiveHandles;
        Leave(device, make);
        Collect();

        IReadOnlyList<LeakedHandle> leaked = HandleTracker.TakeLeaked(type);
        Assert.That(leaked, Has.Count.EqualTo(1));
        Assert.That(leaked[0].AllocationStack, Does.Contain(nameof(LeakReportTests)).And.Contain(nameof(Leave)));
        Assert.That(HandleTracker.Leaked, Is.Empty);
        Assert.That(LoraKernelsLibrary.LiveHandles, Is.EqualTo(before));
    }

    [Test]
    public void DisposedAndLiveObjectsAreNoLeaks()
    {
        using Device device = Device.OpenCpu();
        int before = HandleTracker.Live.Count;
        using (device.Allocate<float>(1, 1))
        {
            Assert.That(HandleTracker.Live, Has.Count.EqualTo(before + 1));
            Assert.That(HandleTracker.Live.Select(handle => handle.Type), Has.Some.EqualTo("DeviceTensor"));
        }
        Collect();

        Assert.That(HandleTracker.Live, Has.Count.EqualTo(before));
        Assert.That(LoraKernelsLibrary.LeakedHandles, Is.Empty);
    }

    [Test]
    public void NothingIsTrackedWhenSwitchedOff()
    {
        HandleTracker.Enabled = false;
        try
        {
            int before = HandleTracker.Live.Count;
            using Device device = Device.OpenCpu();
            Assert.That(HandleTracker.Live, Has.Count.EqualTo(before));
        }
        finally
        {
            HandleTracker.Enabled = true;
        }
    }

    private static IEnumerable<TestCaseData> Makers()
    {
        yield return Case("Device", _ => Device.OpenCpu());
        yield return Case("DeviceStream", device => device.CreateStream());
        yield return Case("DeviceTensor", device => device.Allocate<Half>(2, 2));
        yield return Case(
            "DeviceTensor",
            device =>
            {
                using DeviceTensor<Half> whole = device.Allocate<Half>(2, 2);
                whole.SliceRows(0, 1);
            });
        yield return Case("QuantizedWeight", device => Sample.Weight(device));
        yield return Case("LoraTable", device => Sample.Table(device));
        yield return Case(
            "LoraBatch",
            device =>
            {
                using LoraTable table = Sample.Table(device);
                table.CreateBatch(Sample.Capacity);
            });

        static TestCaseData Case(string type, Action<Device> make) =>
            new TestCaseData(type, make).SetArgDisplayNames(type);
    }

    // In a frame of its own, so that nothing keeps the object.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Leave(Device device, Action<Device> make) => make(device);

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }
}
