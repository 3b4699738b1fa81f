using System.Runtime.InteropServices;
using LoraKernels.Bridges;
using ManagedCuda;
using ManagedCuda.BasicTypes;
using NUnit.Framework;

namespace LoraKernels.BridgeTests;

/// <summary>
/// Views of ManagedCuda's variables. These are put on memory of the host, which they never ask about, so that no driver
/// is needed.
/// </summary>
public sealed class ManagedCudaViewTests
{
    private ManagedCudaDevice _bridge = null!;

    [SetUp]
    public void Open() => _bridge = BridgeToHostMemory();

    [TearDown]
    public void Close() => _bridge.Dispose();

    [Test]
    public void VariableIsAMatrix()
    {
        float[] memory = Pinned<float>([0, 1, 2, 3, 4, 5, 6, 7]);
        using CudaDeviceVariable<float> variable = VariableOn(memory);
        using DeviceTensor<float> dense = _bridge.Borrow(variable, 2, 4);
        using DeviceTensor<float> apart = _bridge.Borrow(variable, 2, 3, rowStride: 5);

        Assert.That(dense.ToArray(), Is.EqualTo(memory));
        Assert.That(apart.ToArray(), Is.EqualTo(new float[] { 0, 1, 2, 5, 6, 7 }));
        apart.CopyFrom([9f, 9, 9, 8, 8, 8]);
        Assert.That(memory, Is.EqualTo(new float[] { 9, 9, 9, 3, 4, 8, 8, 8 }));
    }

    [Test]
    public void PitchedRowsAreTheMatrixRows()
    {
        float[] memory = Pinned<float>([0, 1, 2, -1, 10, 11, 12, -1]);
        using CudaPitchedDeviceVariable<float> variable = PitchedOn(memory, width: 3, height: 2, pitch: 16);
        using DeviceTensor<float> matrix = _bridge.Borrow(variable);

        Assert.That((matrix.Rows, matrix.Columns, matrix.RowStride), Is.EqualTo((2, 3, 4)));
        Assert.That(matrix.ToArray(), Is.EqualTo(new float[] { 0, 1, 2, 10, 11, 12 }));
    }

    [Test]
    public void TheirSixteenBitNumbersAreOurs()
    {
        half[] halves = Pinned<half>([new(1f), new(-2.5f), new(65504f), new(6.1e-5f)]);
        bfloat16[] bfloats = Pinned<bfloat16>([new(1f), new(-2.5f), new(3e38f), new(1e-30f)]);
        using CudaDeviceVariable<half> halfVariable = VariableOn(halves);
        using CudaDeviceVariable<bfloat16> bfloatVariable = VariableOn(bfloats);
        using CudaPitchedDeviceVariable<half> halfRows = PitchedOn(halves, width: 2, height: 2, pitch: 4);
        using CudaPitchedDeviceVariable<bfloat16> bfloatRows = PitchedOn(bfloats, width: 2, height: 2, pitch: 4);

        using DeviceTensor<Half> ofHalves = _bridge.Borrow(halfVariable, 2, 2);
        using DeviceTensor<BFloat16> ofBfloats = _bridge.Borrow(bfloatVariable, 2, 2);
        using DeviceTensor<Half> ofHalfRows = _bridge.Borrow(halfRows);
        using DeviceTensor<BFloat16> ofBfloatRows = _bridge.Borrow(bfloatRows);

        Half[] expectedHalves = [(Half)1, (Half)(-2.5f), Half.MaxValue, (Half)6.1e-5f];
        BFloat16[] expectedBfloats = [(BFloat16)1, (BFloat16)(-2.5f), (BFloat16)3e38f, (BFloat16)1e-30f];
        Assert.That(ofHalves.ToArray(), Is.EqualTo(expectedHalves));
        Assert.That(ofHalfRows.ToArray(), Is.EqualTo(expectedHalves));
        Assert.That(ofBfloats.ToArray(), Is.EqualTo(expectedBfloats));
        Assert.That(ofBfloatRows.ToArray(), Is.EqualTo(expectedBfloats));
    }

    [Test]
    public void MatrixLiesInsideTheVariable()
    {
        using CudaDeviceVariable<float> variable = VariableOn(Pinned<float>(new float[7]));

        Assert.That(
            () => _bridge.Borrow(variable, 2, 4),
            Throws.ArgumentException.With.Message.Contains("memory has 7 elements").And.Message.Contains("needs 8"));
        Assert.That(
            () => _bridge.Borrow(variable, 2, 3, rowStride: 2), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => _bridge.Borrow<float>(null!, 1, 1), Throws.ArgumentNullException);
        Assert.That(() => _bridge.Borrow((CudaPitchedDeviceVariable<float>)null!), Throws.ArgumentNullException);
    }

    [Test]
    public void PitchIsOfWholeElements()
    {
        using CudaPitchedDeviceVariable<float> variable = PitchedOn(Pinned<float>(new float[8]), 3, 2, pitch: 14);

        Assert.That(
            () => _bridge.Borrow(variable),
            Throws.ArgumentException.With.Message.Contains("a pitch of 14 bytes").And.Message.Contains("the 4 bytes"));
    }

    [Test]
    public void OtherElementsAreRefused()
    {
        using CudaDeviceVariable<int> variable = VariableOn(Pinned<int>(new int[4]));

        Assert.That(() => _bridge.Borrow(variable, 2, 2), Throws.InstanceOf<NotSupportedException>());
    }

    [Test]
    public void DefaultStreamsAreRefused()
    {
        foreach (CUstream handle in new[] { CUstream.NullStream, CUstream.LegacyStream, CUstream.StreamPerThread })
        {
            using var stream = new CudaStream(handle);
            Assert.That(
                () => _bridge.Borrow(stream),
                Throws.ArgumentException.With.Message.Contains($"stream is {handle.Pointer}, one of CUDA's default"));
        }
        Assert.That(() => _bridge.Borrow((CudaStream)null!), Throws.ArgumentNullException);
        Assert.That(() => ManagedCudaDevice.Open(null!, null!), Throws.ArgumentNullException);
    }

    [Test]
    public void ViewKeepsTheVariable()
    {
        float[] memory = Pinned<float>([0, 1, 2, 3]);
        DeviceTensor<float> matrix = Collected.Make(
            () =>
            {
                CudaDeviceVariable<float> variable = VariableOn(memory);
                return (_bridge.Borrow(variable, 2, 2), variable);
            },
            out WeakReference variable);

        Assert.That(Collected.Has(variable), Is.False);
        Assert.That(matrix.ToArray(), Is.EqualTo(memory));
        matrix.Dispose();
        Assert.That(Collected.Has(variable));
        GC.KeepAlive(matrix);
    }

    private static ManagedCudaDevice BridgeToHostMemory() => new(Device.OpenCpu(), default);

    private static T[] Pinned<T>(T[] values)
        where T : unmanaged
    {
        T[] memory = GC.AllocateUninitializedArray<T>(values.Length, pinned: true);
        values.CopyTo(memory, 0);
        return memory;
    }

    private static CudaDeviceVariable<T> VariableOn<T>(T[] pinned)
        where T : unmanaged =>
        new(PointerTo(pinned), isOwner: false, size: Marshal.SizeOf<T>() * pinned.Length);

    private static CudaPitchedDeviceVariable<T> PitchedOn<T>(T[] pinned, int width, int height, int pitch)
        where T : unmanaged =>
        new(PointerTo(pinned), width, height, pitch, isOwner: false);

    private static CUdeviceptr PointerTo<T>(T[] pinned)
        where T : unmanaged =>
        new((SizeT)(long)Marshal.UnsafeAddrOfPinnedArrayElement(pinned, 0));
}
