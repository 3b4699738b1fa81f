using LoraKernels.Interop;
using NUnit.Framework;
using NUnit.Framework.Constraints;

namespace LoraKernels.Tests.Api;

public sealed class DeviceTests
{
    [TestCase("cpu", DeviceKind.Cpu, 0, CpuIsa.Auto)]
    [TestCase("CPU:Reference", DeviceKind.Cpu, 0, CpuIsa.Reference)]
    [TestCase("cpu:portable", DeviceKind.Cpu, 0, CpuIsa.Portable)]
    [TestCase("cpu:avx2", DeviceKind.Cpu, 0, CpuIsa.Avx2)]
    [TestCase("CPU:AVX512", DeviceKind.Cpu, 0, CpuIsa.Avx512)]
    [TestCase("cpu:avx512vnni", DeviceKind.Cpu, 0, CpuIsa.Avx512Vnni)]
    [TestCase("cuda", DeviceKind.Cuda, 0, CpuIsa.Auto)]
    [TestCase("cuda:12", DeviceKind.Cuda, 12, CpuIsa.Auto)]
    [TestCase("emulated", DeviceKind.Emulated, 0, CpuIsa.Auto)]
    [TestCase("Emulated:1", DeviceKind.Emulated, 1, CpuIsa.Auto)]
    public void NameSaysWhichDevice(string name, DeviceKind kind, int index, CpuIsa isa) =>
        Assert.That(Device.ParseName(name), Is.EqualTo((kind, index, isa)));

    [TestCase("")]
    [TestCase("gpu")]
    [TestCase("cpu:")]
    [TestCase("cpu:avx10")]
    [TestCase("cpu:0")]
    [TestCase("cuda:")]
    [TestCase("cuda:-1")]
    [TestCase("emulated:")]
    [TestCase("cuda:+1")]
    [TestCase("cuda: 1")]
    [TestCase("cuda:99999999999")]
    [TestCase(" cpu")]
    public void OtherNamesAreRefusedWithThoseAllowed(string name) =>
        Assert.That(
            () => Device.Open(name),
            Throws.ArgumentException.With.Message.Contains($"'{name}'")
                .And.Message.Contains("cpu, cpu:reference, cpu:portable, cpu:avx2, "));

    [TestCase("cpu:reference", "reference")]
    [TestCase("cpu:portable", "portable")]
    public void OpenDeviceSaysWhichPathItTakes(string name, string isa)
    {
        using Device device = Device.Open(name);

        Assert.That(device.Info.Kind, Is.EqualTo(DeviceKind.Cpu));
        Assert.That(device.Info.Isa, Is.EqualTo(isa));
        Assert.That(device.Info.Name, Is.Not.Empty);
        Assert.That(device.Info.ComputeUnits, Is.GreaterThan(0));
        Assert.That(device.Info.MemoryBytes, Is.GreaterThan(0));
        Assert.That(device.ToString(), Is.EqualTo(name));
        Assert.That(device.DefaultStream.Device, Is.SameAs(device));
    }

    [Test]
    public void EveryPathOfThisProcessorOpensByItsName()
    {
        Assert.That(Device.CpuPaths, Does.Contain(CpuIsa.Reference).And.Contain(CpuIsa.Portable));
        foreach (CpuIsa path in Device.CpuPaths)
        {
            string name = path.ToString().ToLowerInvariant();
            using Device device = Device.Open($"cpu:{name}");
            Assert.That(device.Info.Isa, Is.EqualTo(name));
        }
    }

    [Test]
    public void ADeviceIsPreciseUnlessInt8IsAskedFor()
    {
        using Device usual = Device.Open("cpu");
        using Device int8 = Device.Open("cpu", compute: ComputeMode.Int8Activations);

        Assert.That(usual.Compute, Is.EqualTo(ComputeMode.Precise));
        Assert.That(int8.Compute, Is.EqualTo(ComputeMode.Int8Activations));
        Assert.That(
            () => Device.OpenCpu(compute: (ComputeMode)7), Fails.With(LoraKernelsStatus.InvalidArgument));
        Assert.That(
            () => Device.Open("cuda", compute: ComputeMode.Int8Activations), Fails.With(LoraKernelsStatus.Unsupported));
    }

    [Test]
    public void ThereIsOneCpu()
    {
        Assert.That(Device.Enumerate(DeviceKind.Cpu), Has.Count.EqualTo(1));
        Assert.That(Device.TryDescribe(DeviceKind.Cpu, 0, out DeviceInfo? info, out string? whyNot));
        Assert.That(info!.Kind, Is.EqualTo(DeviceKind.Cpu));
        Assert.That(whyNot, Is.Null);
        Assert.That(Device.TryDescribe(DeviceKind.Cpu, 1, out info, out whyNot), Is.False);
        Assert.That(info, Is.Null);
        Assert.That(whyNot, Is.Not.Empty);
    }

    [Test]
    public void DeviceThatIsNotThereSaysWhy()
    {
        int missing = Device.Enumerate(DeviceKind.Cuda).Count;

        Assert.That(Device.TryDescribe(DeviceKind.Cuda, missing, out _, out string? whyNot), Is.False);
        var error = Assert.Throws<LoraKernelsException>(() => Device.Open($"cuda:{missing}"))!;
        Assert.That(error.Status, Is.EqualTo(LoraKernelsStatus.DeviceUnavailable));
        Assert.That(error.Message, Is.EqualTo(whyNot).And.Not.Empty);
    }

    [Test]
    public void UnknownKindIsRefused()
    {
        Assert.That(() => Device.Enumerate((DeviceKind)9), Fails.With(LoraKernelsStatus.InvalidArgument));
        Assert.That(
            () => Device.TryDescribe((DeviceKind)9, 0, out _, out _), Fails.With(LoraKernelsStatus.InvalidArgument));
        Assert.That(() => Device.OpenCpu((CpuIsa)9), Fails.With(LoraKernelsStatus.InvalidArgument));
    }

    [Test]
    public void OpenTakesCudaWhereThereIsOne()
    {
        using Device device = Device.Open();

        DeviceKind expected = Device.Enumerate(DeviceKind.Cuda).Count > 0 ? DeviceKind.Cuda : DeviceKind.Cpu;
        Assert.That(device.Info.Kind, Is.EqualTo(expected));
    }

    [Test]
    public void ThreadCountIsSetForTheProcess()
    {
        int before = Device.CpuThreadCount;
        try
        {
            Device.CpuThreadCount = 3;
            Assert.That(Device.CpuThreadCount, Is.EqualTo(3));
            Assert.That(() => Device.CpuThreadCount = -1, Fails.With(LoraKernelsStatus.InvalidArgument));
            Assert.That(() => Device.CpuThreadCount = 1025, Fails.With(LoraKernelsStatus.InvalidArgument));
            Assert.That(Device.CpuThreadCount, Is.EqualTo(3));
        }
        finally
        {
            Device.CpuThreadCount = before;
        }
    }

    [Test]
    public void CpuHasNoStreamsToBorrow()
    {
        using Device device = Device.OpenCpu();

        Assert.That(() => device.BorrowStream(0x1000), Fails.With(LoraKernelsStatus.InvalidArgument));
        Assert.That(
            () => Device.OpenOnStream("cpu:portable", 0x1000), Fails.With(LoraKernelsStatus.InvalidArgument));
    }

    // The default streams wait for others and cannot be captured, and 0 is what an engine gives by accident.
    [TestCase(0)]
    [TestCase(1)]
    [TestCase(2)]
    public void DefaultStreamsAreNotBorrowed(int stream)
    {
        using Device device = Device.OpenCpu();

        Assert.That(() => device.BorrowStream(stream), Refused());
        Assert.That(() => Device.OpenOnStream("cuda", stream), Refused());

        IResolveConstraint Refused() =>
            Throws.ArgumentException.With.Property("ParamName").EqualTo("nativeStream")
                .And.Message.Contains($"nativeStream is {stream}, one of CUDA's default streams");
    }

    [Test]
    public void DeviceOfAStreamIsNamedLikeAnyOther()
    {
        int missing = Device.Enumerate(DeviceKind.Cuda).Count;

        Assert.That(() => Device.OpenOnStream("gpu", 0x1000), Throws.ArgumentException.With.Message.Contains("'gpu'"));
        Assert.That(() => Device.OpenOnStream(null!, 0x1000), Throws.ArgumentNullException);
        Assert.That(
            () => Device.OpenOnStream($"cuda:{missing}", 0x1000), Fails.With(LoraKernelsStatus.DeviceUnavailable));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void CpuIsAlwaysBatchInvariant(bool asked)
    {
        using Device device = Device.Open("cpu", asked);
        using Device other = Device.OpenCpu();

        Assert.That(device.IsBatchInvariant);
        Assert.That(other.IsBatchInvariant);
    }

    // Memory, tables and batches may be had from any thread; only operations are for one thread at a time.
    [Test]
    public void ThreadsAllocateAtOnceAndUploadOnTheirOwnStreams()
    {
        using Device device = Device.OpenCpu();
        Parallel.For(0, 4, thread =>
        {
            using DeviceStream stream = device.CreateStream();
            for (int run = 0; run < 2000; run++)
            {
                using DeviceTensor<float> empty = device.Allocate<float>(3, 5);
                using DeviceTensor<float> filled = device.Upload<float>([thread, run], 1, 2, stream);
                Assert.That(filled.ToArray(stream), Is.EqualTo(new float[] { thread, run }));
            }
        });
    }

    [Test]
    public void DefaultStreamEndsWithItsDeviceOnly()
    {
        using Device device = Device.OpenCpu();
        device.DefaultStream.Dispose();
        Assert.That(() => device.DefaultStream.Synchronize(), Throws.Nothing);

        DeviceStream other = device.CreateStream();
        other.Synchronize();
        other.Dispose();
        Assert.That(() => other.Synchronize(), Fails.AsDisposed(nameof(DeviceStream)));
        device.Dispose();
        Assert.That(() => device.DefaultStream.Synchronize(), Fails.AsDisposed(nameof(Device)));
        Assert.That(() => device.CreateStream(), Fails.AsDisposed(nameof(Device)));
        Assert.That(() => device.Allocate<float>(1, 1), Fails.AsDisposed(nameof(Device)));
    }

    [Test]
    public void LibrarySaysWhatItIs()
    {
        Assert.That(LoraKernelsLibrary.Path, Does.Exist.And.EndsWith(NativeLibrarySearch.FileName));
        Assert.That(LoraKernelsLibrary.AbiVersion, Is.EqualTo(NativeMethods.LK_ABI_VERSION));
        Assert.That(LoraKernelsLibrary.Version, Does.Match(@"^\d+\.\d+\.\d+"));
        Assert.That(LoraKernelsLibrary.BuildInfo, Is.Not.Empty);
        Assert.That(LoraKernelsLibrary.LeakReportEnabled);
    }
}
