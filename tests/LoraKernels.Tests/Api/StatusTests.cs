using LoraKernels.Interop;
using NUnit.Framework;

namespace LoraKernels.Tests.Api;

/// <summary>Each native status arrives as an exception with the native message.</summary>
public sealed class StatusTests
{
    private Device _device = null!;

    [SetUp]
    public void Open() => _device = Device.OpenCpu();

    [TearDown]
    public void Close() => _device.Dispose();

    [Test]
    public void StatusesAreThoseOfTheHeader()
    {
        string[] managed = [.. Enum.GetValues<LoraKernelsStatus>().Select(status => $"{(int)status} {status}")];
        string[] native =
        [
            .. Enum.GetValues<lk_status>().Select(status =>
                $"{(int)status} {string.Concat(status.ToString()[3..].Split('_').Select(Capitalize))}"),
        ];

        Assert.That(managed, Is.EqualTo(native));

        static string Capitalize(string word) => word[..1] + word[1..].ToLowerInvariant();
    }

    [Test]
    public void EnumsAreThoseOfTheHeader()
    {
        Assert.That((int)DeviceKind.Cuda, Is.EqualTo((int)lk_device_kind.LK_DEVICE_CUDA));
        Assert.That((int)DeviceKind.Emulated, Is.EqualTo((int)lk_device_kind.LK_DEVICE_EMULATED));
        Assert.That((int)CpuIsa.Reference, Is.EqualTo((int)lk_cpu_isa.LK_CPU_REFERENCE));
        Assert.That((int)CpuIsa.Portable, Is.EqualTo((int)lk_cpu_isa.LK_CPU_PORTABLE));
        Assert.That((int)CpuIsa.Avx2, Is.EqualTo((int)lk_cpu_isa.LK_CPU_AVX2));
        Assert.That((int)CpuIsa.Avx512, Is.EqualTo((int)lk_cpu_isa.LK_CPU_AVX512));
        Assert.That((int)ComputeMode.Precise, Is.EqualTo((int)lk_compute.LK_COMPUTE_PRECISE));
        Assert.That((int)ComputeMode.Int8Activations, Is.EqualTo((int)lk_compute.LK_COMPUTE_INT8));
        Assert.That((int)CpuIsa.Avx512Vnni, Is.EqualTo((int)lk_cpu_isa.LK_CPU_AVX512_VNNI));
        Assert.That((int)DType.Float32, Is.EqualTo((int)lk_dtype.LK_DTYPE_F32));
        Assert.That((int)DType.Float16, Is.EqualTo((int)lk_dtype.LK_DTYPE_F16));
        Assert.That((int)DType.BFloat16, Is.EqualTo((int)lk_dtype.LK_DTYPE_BF16));
        (WeightFormat, lk_format)[] formats =
        [
            (WeightFormat.BitsAndBytesNf4, lk_format.LK_FORMAT_BNB_NF4),
            (WeightFormat.GgufQ4_0, lk_format.LK_FORMAT_GGUF_Q4_0),
            (WeightFormat.BitsAndBytesFp4, lk_format.LK_FORMAT_BNB_FP4),
            (WeightFormat.GgufQ4_1, lk_format.LK_FORMAT_GGUF_Q4_1),
            (WeightFormat.GgufIq4Nl, lk_format.LK_FORMAT_GGUF_IQ4_NL),
            (WeightFormat.GgufQ4_K, lk_format.LK_FORMAT_GGUF_Q4_K),
            (WeightFormat.Int4Packed, lk_format.LK_FORMAT_INT4_PACKED),
            (WeightFormat.Mxfp4, lk_format.LK_FORMAT_MXFP4),
            (WeightFormat.Nvfp4, lk_format.LK_FORMAT_NVFP4),
            (WeightFormat.Gptq, lk_format.LK_FORMAT_GPTQ),
            (WeightFormat.GptqV2, lk_format.LK_FORMAT_GPTQ_V2),
            (WeightFormat.Awq, lk_format.LK_FORMAT_AWQ),
            (WeightFormat.Hqq, lk_format.LK_FORMAT_HQQ),
            (WeightFormat.OnnxMatMulNBits, lk_format.LK_FORMAT_ONNX_NBITS),
            (WeightFormat.GgufMxfp4, lk_format.LK_FORMAT_GGUF_MXFP4),
            (WeightFormat.GgufNvfp4, lk_format.LK_FORMAT_GGUF_NVFP4),
            (WeightFormat.Float32, lk_format.LK_FORMAT_F32),
            (WeightFormat.Float16, lk_format.LK_FORMAT_F16),
            (WeightFormat.BFloat16, lk_format.LK_FORMAT_BF16),
            (WeightFormat.GgufQ5_0, lk_format.LK_FORMAT_GGUF_Q5_0),
            (WeightFormat.GgufQ5_1, lk_format.LK_FORMAT_GGUF_Q5_1),
            (WeightFormat.GgufQ8_0, lk_format.LK_FORMAT_GGUF_Q8_0),
            (WeightFormat.GgufQ2_K, lk_format.LK_FORMAT_GGUF_Q2_K),
            (WeightFormat.GgufQ3_K, lk_format.LK_FORMAT_GGUF_Q3_K),
            (WeightFormat.GgufQ5_K, lk_format.LK_FORMAT_GGUF_Q5_K),
            (WeightFormat.GgufQ6_K, lk_format.LK_FORMAT_GGUF_Q6_K),
            (WeightFormat.GgufIq4Xs, lk_format.LK_FORMAT_GGUF_IQ4_XS),
        ];
        Assert.That(formats.Select(pair => (int)pair.Item1), Is.EqualTo(formats.Select(pair => (int)pair.Item2)));
        Assert.That(Enum.GetValues<WeightFormat>(), Has.Length.EqualTo(Enum.GetValues<lk_format>().Length));
        Assert.That(Enum.GetValues<WeightFormat>(), Is.EquivalentTo(formats.Select(pair => pair.Item1)));
    }

    [Test]
    public void InvalidArgumentNamesIt()
    {
        var tensors = new WeightTensors
        {
            Format = WeightFormat.BitsAndBytesNf4,
            OutFeatures = 2,
            InFeatures = 64,
            GroupSize = 64,
            Codes = new byte[63],
            Scales = new byte[8],
        };

        AssertFails(
            () => QuantizedWeight.Pack(_device, tensors), LoraKernelsStatus.InvalidArgument, "codes", "63", "64");
    }

    [Test]
    public void NonFiniteWeightIsNamedByItsPlace()
    {
        var values = new float[2 * 64];
        values[64 + 7] = float.NaN;
        using DeviceTensor<float> w = _device.Upload<float>(values, 2, 64);

        AssertFails(() => QuantizedWeight.Quantize(w), LoraKernelsStatus.InvalidArgument, "1", "7");
    }

    [Test]
    public void ShapeMismatchNamesBothSides()
    {
        using QuantizedWeight weight = Sample.Weight(_device);
        using DeviceTensor<float> x = _device.Allocate<float>(2, 65);
        using DeviceTensor<float> y = _device.Allocate<float>(2, Sample.OutFeatures);

        AssertFails(() => new Linear(weight).Forward(x, y), LoraKernelsStatus.ShapeMismatch, "65", "64");
    }

    [Test]
    public void OverlapIsRefused()
    {
        using QuantizedWeight weight = Sample.Weight(_device, 64, 64);
        using DeviceTensor<float> memory = _device.Allocate<float>(3, 64);
        using DeviceTensor<float> x = memory.SliceRows(0, 2);
        using DeviceTensor<float> y = memory.SliceRows(1, 2);

        AssertFails(() => new Linear(weight).Forward(x, y), LoraKernelsStatus.Overlap, "x");
    }

    [Test]
    public void UnsupportedFormatIsNamed()
    {
        var tensors = new WeightTensors
        {
            Format = (WeightFormat)99,
            OutFeatures = 1,
            InFeatures = 32,
            GroupSize = 32,
            Codes = new byte[18],
        };
        using DeviceTensor<float> w = _device.Upload<float>(new float[32], 1, 32);

        AssertFails(() => QuantizedWeight.Pack(_device, tensors), LoraKernelsStatus.Unsupported, "99");
        AssertFails(
            () => QuantizedWeight.Quantize(w, new QuantizeOptions { Format = WeightFormat.GgufQ4_0, GroupSize = 32 }),
            LoraKernelsStatus.Unsupported);
    }

    [Test]
    public void OutOfMemoryLeavesTheDeviceUsable()
    {
        AssertFails(() => _device.Allocate<float>(1L << 30, 1L << 30), LoraKernelsStatus.OutOfMemory);
        using DeviceTensor<float> tensor = _device.Allocate<float>(1, 1);
        Assert.That(tensor.Rows, Is.EqualTo(1));
    }

    [Test]
    public void WorkspaceThatIsTooSmallSaysWhatIsNeeded()
    {
        using QuantizedWeight weight = Sample.Weight(_device);
        using LoraTable table = Sample.Table(_device);
        using LoraBatch batch = table.CreateBatch(Sample.Capacity);
        using LoadedAdapter adapter = table.Add(Sample.Adapter());
        using DeviceTensor<float> x = _device.Upload<float>(Sample.Values(3 * 64, 1), 3, 64);
        using DeviceTensor<float> y = _device.Allocate<float>(3, Sample.OutFeatures);
        using DeviceTensor<float> again = _device.Allocate<float>(3, Sample.OutFeatures);
        using DeviceStream stream = _device.CreateStream();
        var linear = new Linear(weight, Sample.Plain);
        batch.Set([adapter, null, adapter], stream);

        long bytes = stream.QueryWorkspace(3, 64, Sample.OutFeatures, batch);
        Assert.That(bytes, Is.GreaterThan(0));
        stream.ReserveWorkspace(bytes);
        linear.Forward(x, batch, y, stream);

        stream.ReserveWorkspace(1);
        AssertFails(() => linear.Forward(x, batch, again, stream), LoraKernelsStatus.CapacityExceeded);

        stream.ReserveWorkspace(0);
        linear.Forward(x, batch, again, stream);
        Assert.That(again.ToArray(), Is.EqualTo(y.ToArray()));
    }

    [Test]
    public void WorkspaceIsCheckedAndFreed()
    {
        long before = LoraKernelsLibrary.LiveHandles;
        using (DeviceStream stream = _device.CreateStream())
        {
            stream.ReserveWorkspace(4096);
            stream.ReserveWorkspace(8192);
            Assert.That(LoraKernelsLibrary.LiveHandles, Is.EqualTo(before + 2));
            AssertFails(() => stream.SetWorkspace(0x1001, 4096), LoraKernelsStatus.InvalidArgument);
            AssertFails(() => stream.SetWorkspace(0, 4096), LoraKernelsStatus.InvalidArgument);
            Assert.That(() => stream.ReserveWorkspace(-1), Throws.InstanceOf<ArgumentOutOfRangeException>());
            AssertFails(() => stream.QueryWorkspace(-1, 64, 64), LoraKernelsStatus.InvalidArgument);
            Assert.That(LoraKernelsLibrary.LiveHandles, Is.EqualTo(before + 2));
        }
        Assert.That(LoraKernelsLibrary.LiveHandles, Is.EqualTo(before));
    }

    // A second thread inside a call of the same stream: both hammer it until one is told.
    [Test]
    public void SecondThreadOnAStreamIsToldToMakeItsOwn()
    {
        using QuantizedWeight weight = Sample.Weight(_device, 256, 512);
        using DeviceTensor<float> x = _device.Upload<float>(Sample.Values(16 * 512, 1), 16, 512);
        var linear = new Linear(weight);
        LoraKernelsException? busy = null;
        var limit = TimeSpan.FromMinutes(1);

        Thread[] threads = [new(Hammer), new(Hammer)];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();

        Assert.That(busy, Is.Not.Null, $"no call met another within {limit}");
        Assert.That(busy!.Status, Is.EqualTo(LoraKernelsStatus.Busy));
        Assert.That(busy.Message, Does.EndWith("create one stream per thread with Device.CreateStream()."));

        void Hammer()
        {
            using Device own = Device.OpenCpu();
            using DeviceTensor<float> result = own.Allocate<float>(16, 256);
            long start = Environment.TickCount64;
            while (Volatile.Read(ref busy) is null && Environment.TickCount64 - start < limit.TotalMilliseconds)
            {
                try
                {
                    linear.Forward(x, result, _device.DefaultStream);
                }
                catch (LoraKernelsException error)
                {
                    Volatile.Write(ref busy, error);
                }
            }
        }
    }

    [Test]
    public void StatusWithoutAMessageIsStillExplained()
    {
        LoraKernelsException error = LoraKernelsException.From(LoraKernelsStatus.Internal, "");
        Assert.That(error.Message, Is.EqualTo("the native library returned status 11 (Internal)"));

        error = LoraKernelsException.From(LoraKernelsStatus.AbiMismatch, "abi_version is 2.");
        Assert.That(error.Message, Is.EqualTo(
            "abi_version is 2. Use the same version of the packages LoraKernels and LoraKernels.Native.*."));
    }

    private static void AssertFails(Action call, LoraKernelsStatus status, params string[] parts)
    {
        var error = Assert.Throws<LoraKernelsException>(() => call())!;
        Assert.That(error.Status, Is.EqualTo(status), error.Message);
        Assert.That(error.Message, Is.Not.Empty);
        foreach (string part in parts)
            Assert.That(error.Message, Does.Contain(part));
    }
}
