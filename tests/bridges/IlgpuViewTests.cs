using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using LoraKernels.Bridges;
using NUnit.Framework;

namespace LoraKernels.BridgeTests;

/// <summary>
/// Views of ILGPU's memory, on its CPU accelerator: what they show depends on the accelerator in nothing but where the
/// memory is.
/// </summary>
public sealed class IlgpuViewTests
{
    private Context _context = null!;
    private CPUAccelerator _accelerator = null!;
    private IlgpuDevice _bridge = null!;

    [SetUp]
    public void Open()
    {
        _context = Context.Create(builder => builder.CPU());
        _accelerator = _context.CreateCPUAccelerator(0);
        _bridge = BridgeTo(_accelerator);
    }

    [TearDown]
    public void Close()
    {
        _bridge.Dispose();
        _accelerator.Dispose();
        _context.Dispose();
    }

    [Test]
    public void BufferIsAMatrix()
    {
        using MemoryBuffer1D<float, Stride1D.Dense> buffer = Numbered(6);
        using DeviceTensor<float> matrix = _bridge.Borrow<float>(buffer.View, 2, 3);

        Assert.That((matrix.Rows, matrix.Columns, matrix.RowStride), Is.EqualTo((2, 3, 3)));
        Assert.That(matrix.ToArray(), Is.EqualTo(new float[] { 0, 1, 2, 3, 4, 5 }));
        matrix.CopyFrom([9f, 8f, 7f, 6f, 5f, 4f]);
        Assert.That(buffer.GetAsArray1D(), Is.EqualTo(new float[] { 9, 8, 7, 6, 5, 4 }));
    }

    [Test]
    public void MatrixBeginsWhereTheViewDoesAndItsRowsMayBeApart()
    {
        using MemoryBuffer1D<float, Stride1D.Dense> buffer = Numbered(12);
        using DeviceTensor<float> matrix = _bridge.Borrow(buffer.View.BaseView.SubView(1, 10), 3, 2, rowStride: 4);

        Assert.That(matrix.ToArray(), Is.EqualTo(new float[] { 1, 2, 5, 6, 9, 10 }));
    }

    [Test]
    public void MatrixHasTheElementsOfATwoDimensionalView()
    {
        using MemoryBuffer2D<float, Stride2D.DenseX> alongX = _accelerator.Allocate2DDenseX<float>(new Index2D(3, 2));
        using MemoryBuffer2D<float, Stride2D.DenseY> alongY = _accelerator.Allocate2DDenseY<float>(new Index2D(2, 3));
        var values = new float[2, 3] { { 0, 1, 2 }, { 10, 11, 12 } };
        alongX.CopyFromCPU(new float[3, 2] { { 0, 10 }, { 1, 11 }, { 2, 12 } });
        alongY.CopyFromCPU(values);
        using DeviceTensor<float> fromX = _bridge.Borrow(alongX.View);
        using DeviceTensor<float> fromY = _bridge.Borrow(alongY.View);

        Assert.That(fromX.ToArray(), Is.EqualTo(values.Cast<float>()));
        Assert.That(fromY.ToArray(), Is.EqualTo(values.Cast<float>()));
        Assert.That((fromX.Rows, fromX.Columns, fromY.Rows, fromY.Columns), Is.EqualTo((2, 3, 2, 3)));
    }

    [Test]
    public void PartOfATwoDimensionalViewKeepsItsStride()
    {
        using MemoryBuffer2D<float, Stride2D.DenseY> whole = _accelerator.Allocate2DDenseY<float>(new Index2D(3, 4));
        whole.CopyFromCPU(new float[3, 4] { { 0, 1, 2, 3 }, { 10, 11, 12, 13 }, { 20, 21, 22, 23 } });
        using DeviceTensor<float> part = _bridge.Borrow(whole.View.SubView(new Index2D(1, 2), new Index2D(2, 2)));

        Assert.That(part.RowStride, Is.EqualTo(4));
        Assert.That(part.ToArray(), Is.EqualTo(new float[] { 12, 13, 22, 23 }));
    }

    [Test]
    public void HalvesAreSystemHalves()
    {
        float[] values = [0, -0f, 1, -2.5f, 65504, 6.1e-5f, 5.9604645e-8f, float.NegativeInfinity];
        System.Half[] expected = [.. values.Select(value => (System.Half)value)];
        ILGPU.Half[] theirs = [.. values.Select(value => (ILGPU.Half)value)];
        using MemoryBuffer1D<ILGPU.Half, Stride1D.Dense> buffer = _accelerator.Allocate1D(theirs);
        using MemoryBuffer2D<ILGPU.Half, Stride2D.DenseX> plane =
            _accelerator.Allocate2DDenseX<ILGPU.Half>(new Index2D(4, 2));
        using MemoryBuffer2D<ILGPU.Half, Stride2D.DenseY> array =
            _accelerator.Allocate2DDenseY<ILGPU.Half>(new Index2D(4, 2));

        using DeviceTensor<System.Half> matrix = _bridge.Borrow(buffer.View, 2, 4);
        using DeviceTensor<System.Half> ofPlane = _bridge.Borrow(plane.View);
        using DeviceTensor<System.Half> ofArray = _bridge.Borrow(array.View);

        Assert.That(Bits(matrix.ToArray()), Is.EqualTo(Bits(expected)));
        Assert.That((ofPlane.Rows, ofPlane.Columns), Is.EqualTo((2, 4)));
        Assert.That((ofArray.Rows, ofArray.Columns), Is.EqualTo((4, 2)));

        static ushort[] Bits(System.Half[] halves) => [.. halves.Select(BitConverter.HalfToUInt16Bits)];
    }

    [Test]
    public void BFloat16IsAnElementOfBuffers()
    {
        ushort[] bits = [0x3F80, 0x4000, 0xC040, 0x7F80];
        using MemoryBuffer1D<ushort, Stride1D.Dense> buffer = _accelerator.Allocate1D(bits);
        using DeviceTensor<BFloat16> matrix =
            _bridge.Borrow<BFloat16>(buffer.View.Cast<ushort, BFloat16>(), 1, 4);

        Assert.That(matrix.ToArray().Select(value => value.Bits), Is.EqualTo(bits));
    }

    [Test]
    public void MatrixLiesInsideTheView()
    {
        using MemoryBuffer1D<float, Stride1D.Dense> buffer = Numbered(11);
        ArrayView<float> view = buffer.View;

        using DeviceTensor<float> last = _bridge.Borrow(view, 3, 3, rowStride: 4);
        Assert.That(
            () => _bridge.Borrow(view.SubView(0, 10), 3, 3, rowStride: 4),
            Throws.ArgumentException.With.Message.Contains("view has 10 elements")
                .And.Message.Contains("[3, 3] with rows 4 elements apart needs 11"));
        Assert.That(() => _bridge.Borrow(view, long.MaxValue, 3), Throws.ArgumentException);
        Assert.That(() => _bridge.Borrow(view, -1, 3), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => _bridge.Borrow(view, 1, -3), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => _bridge.Borrow(view, 2, 3, rowStride: 2), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void ViewOfNothingIsAnEmptyMatrix()
    {
        using DeviceTensor<float> empty = _bridge.Borrow(ArrayView<float>.Empty, 0, 5);

        Assert.That(empty.ToArray(), Is.Empty);
        Assert.That(() => _bridge.Borrow(ArrayView<float>.Empty, 1, 5), Throws.ArgumentException);
    }

    [Test]
    public void OtherElementsAreRefused()
    {
        using MemoryBuffer1D<int, Stride1D.Dense> buffer = _accelerator.Allocate1D<int>(4);

        Assert.That(
            () => _bridge.Borrow<int>(buffer.View, 2, 2),
            Throws.InstanceOf<NotSupportedException>().With.Message.Contains("System.Int32"));
    }

    [Test]
    public void BuffersOfOtherAcceleratorsAreRefused()
    {
        using CPUAccelerator other = _context.CreateCPUAccelerator(0);
        using MemoryBuffer1D<float, Stride1D.Dense> buffer = other.Allocate1D<float>(4);

        Assert.That(
            () => _bridge.Borrow<float>(buffer.View, 2, 2),
            Throws.ArgumentException.With.Message.Contains("view is of CPU").And.Message.Contains("memory of its own"));
    }

    [Test]
    public void DisposedBuffersAreRefused()
    {
        MemoryBuffer1D<float, Stride1D.Dense> buffer = Numbered(4);
        ArrayView<float> view = buffer.View;
        buffer.Dispose();

        Assert.That(() => _bridge.Borrow(view, 2, 2), Throws.InstanceOf<ObjectDisposedException>());
    }

    // ILGPU's finalizer would free the memory.
    [Test]
    public void ViewKeepsTheBuffer()
    {
        DeviceTensor<float> matrix = Collected.Make(
            () =>
            {
                MemoryBuffer1D<float, Stride1D.Dense> buffer = Numbered(4);
                return (_bridge.Borrow<float>(buffer.View, 2, 2), ((IArrayView)buffer.View).Buffer);
            },
            out WeakReference buffer);

        Assert.That(Collected.Has(buffer), Is.False);
        Assert.That(matrix.ToArray(), Is.EqualTo(new float[] { 0, 1, 2, 3 }));
        matrix.Dispose();
        Assert.That(Collected.Has(buffer));
        GC.KeepAlive(matrix);
    }

    [Test]
    public void StreamsAreThoseOfCudaAccelerators()
    {
        using AcceleratorStream stream = _accelerator.CreateStream();

        Assert.That(
            () => IlgpuDevice.Open(stream),
            Throws.ArgumentException.With.Message.Contains("a CPU accelerator")
                .And.Message.Contains("CudaAccelerator"));
        Assert.That(() => _bridge.Borrow(stream), Throws.ArgumentException);
        Assert.That(() => IlgpuDevice.Open(null!), Throws.ArgumentNullException);
        stream.Dispose();
        Assert.That(() => IlgpuDevice.Open(stream), Throws.InstanceOf<ObjectDisposedException>());
    }

    private static IlgpuDevice BridgeTo(CPUAccelerator accelerator) => new(LoraKernels.Device.OpenCpu(), accelerator);

    private MemoryBuffer1D<float, Stride1D.Dense> Numbered(int count) =>
        _accelerator.Allocate1D([.. Enumerable.Range(0, count).Select(i => (float)i)]);
}
