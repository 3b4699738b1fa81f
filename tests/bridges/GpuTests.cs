using ILGPU;
using ILGPU.Runtime.Cuda;
using ManagedCuda;
using NUnit.Framework;

namespace LoraKernels.BridgeTests;

/// <summary>The samples on a GPU, against the CPU. Inconclusive where there is none.</summary>
public sealed class GpuTests
{
    private const int Rows = 5;
    private const int InFeatures = 192;
    private const int OutFeatures = 96;
    private const double Tolerance = 1e-4;

    private WeightTensors _weight = null!;
    private float[] _activations = null!;
    private float[] _expected = null!;

    [OneTimeSetUp]
    public void Compute()
    {
        Assume.That(LoraKernels.Device.Enumerate(DeviceKind.Cuda), Is.Not.Empty, "needs a CUDA device");
        _activations = Wave(Rows * InFeatures, 0.37f);
        using LoraKernels.Device cpu = LoraKernels.Device.OpenCpu();
        using DeviceTensor<float> w =
            cpu.Upload<float>(Wave(OutFeatures * InFeatures, 0.11f), OutFeatures, InFeatures);
        using QuantizedWeight weight = QuantizedWeight.Quantize(w);
        _weight = weight.Unpack();
        using DeviceTensor<float> x = cpu.Upload<float>(_activations, Rows, InFeatures);
        using DeviceTensor<float> y = cpu.Allocate<float>(Rows, OutFeatures);
        new Linear(weight).Forward(x, y);
        _expected = y.ToArray();
    }

    [Test]
    public void ForwardsInIlgpusMemory()
    {
        var activations = new float[Rows, InFeatures];
        Buffer.BlockCopy(_activations, 0, activations, 0, sizeof(float) * _activations.Length);
        using Context context = Context.CreateDefault();
        using CudaAccelerator accelerator = context.CreateCudaAccelerator(0);

        float[,] actual = IlgpuSample.Forward(accelerator, _weight, activations);

        Assert.That(actual.Cast<float>(), Is.EqualTo(_expected).Within(Tolerance));
    }

    [Test]
    public void ForwardsInTheMemoryOfAContextOfManagedCuda()
    {
        using var context = new CudaContext(0);

        Assert.That(
            ManagedCudaSample.Forward(context, _weight, _activations), Is.EqualTo(_expected).Within(Tolerance));
    }

    [Test]
    public void ForwardsInTheMemoryOfThePrimaryContext()
    {
        using var context = new PrimaryContext(0);
        context.SetCurrent();

        Assert.That(
            ManagedCudaSample.Forward(context, _weight, _activations), Is.EqualTo(_expected).Within(Tolerance));
    }

    private static float[] Wave(int count, float step) =>
        [.. Enumerable.Range(0, count).Select(i => MathF.Sin(i * step) / 8)];
}
