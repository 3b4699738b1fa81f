using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NUnit.Framework;

namespace LoraKernels.Tests.Api;

/// <summary>Shapes, slices, borrowed memory, and what happens after disposal.</summary>
public sealed class TensorTests
{
    private Device _device = null!;

    [SetUp]
    public void Open() => _device = Device.OpenCpu();

    [TearDown]
    public void Close() => _device.Dispose();

    [Test]
    public void UploadKeepsEveryElementOfEveryType()
    {
        AssertRoundTrip<float>([1, 2, 3, 4, 5, float.NaN], DType.Float32);
        AssertRoundTrip<Half>([(Half)1, (Half)2, Half.MaxValue, Half.Epsilon, Half.NaN, -(Half)0], DType.Float16);
        AssertRoundTrip<BFloat16>(
            [(BFloat16)1, (BFloat16)2, BFloat16.MaxValue, BFloat16.Epsilon, BFloat16.NaN, (BFloat16)(-0f)],
            DType.BFloat16);
    }

    [Test]
    public void OtherElementTypesAreRefused()
    {
        Assert.That(
            () => _device.Allocate<double>(1, 1),
            Throws.InstanceOf<NotSupportedException>().With.Message.Contains("System.Double"));
        Assert.That(() => _device.Upload<int>([1], 1, 1), Throws.InstanceOf<NotSupportedException>());
        Assert.That(() => DeviceTensor<ushort>.Borrow(_device, 0, 0, 0, 0), Throws.InstanceOf<NotSupportedException>());
    }

    [TestCase(0, 5)]
    [TestCase(5, 0)]
    [TestCase(0, 0)]
    public void MatrixMayBeEmpty(long rows, long columns)
    {
        using DeviceTensor<float> tensor = _device.Upload<float>([], rows, columns);
        using DeviceTensor<float> slice = tensor.Slice(rows, 0, columns, 0);

        Assert.That(tensor.ToArray(), Is.Empty);
        Assert.That(slice.ToArray(), Is.Empty);
    }

    [Test]
    public void SizesAreChecked()
    {
        Assert.That(() => _device.Allocate<float>(-1, 4), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => _device.Allocate<float>(4, -1), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(
            () => _device.Allocate<float>(1L << 32, 1L << 32), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(
            () => _device.Upload<float>([1, 2, 3], 2, 2),
            Throws.ArgumentException.With.Message.Contains("values has 3 elements")
                .And.Message.Contains("[2, 2] has 4"));
        using DeviceTensor<float> tensor = _device.Allocate<float>(2, 2);
        Assert.That(() => tensor.CopyFrom([1f]), Throws.ArgumentException.With.Message.Contains("source has 1"));
        Assert.That(() => tensor.CopyTo(new float[5]), Throws.ArgumentException.With.Message.Contains("destination"));
    }

    [Test]
    public void SliceReadsAndWritesItsRectangleOnly()
    {
        using DeviceTensor<float> whole = Numbered(4, 5);
        using DeviceTensor<float> middle = whole.Slice(1, 2, 2, 3);
        using DeviceTensor<float> corner = middle.Slice(1, 1, 1, 2);

        Assert.That(middle.ToArray(), Is.EqualTo(new float[] { 7, 8, 9, 12, 13, 14 }));
        Assert.That((middle.Rows, middle.Columns, middle.RowStride), Is.EqualTo((2, 3, 5)));
        corner.CopyFrom([-1f, -2f]);
        Assert.That(
            whole.ToArray(),
            Is.EqualTo(new float[] { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, -1, -2, 15, 16, 17, 18, 19 }));
    }

    [Test]
    public void SlicesOfRowsAndColumnsKeepTheOtherSide()
    {
        using DeviceTensor<float> whole = Numbered(3, 2);
        using DeviceTensor<float> rows = whole.SliceRows(1, 2);
        using DeviceTensor<float> columns = whole.SliceColumns(1, 1);

        Assert.That(rows.ToArray(), Is.EqualTo(new float[] { 2, 3, 4, 5 }));
        Assert.That(columns.ToArray(), Is.EqualTo(new float[] { 1, 3, 5 }));
    }

    [TestCase(-1, 1, 0, 1)]
    [TestCase(0, 4, 0, 1)]
    [TestCase(3, 1, 0, 1)]
    [TestCase(1, long.MaxValue, 0, 1)]
    [TestCase(0, 1, 2, 1)]
    [TestCase(0, 1, 0, -1)]
    public void SliceLiesInside(long rowStart, long rowCount, long columnStart, long columnCount)
    {
        using DeviceTensor<float> whole = Numbered(3, 2);

        Assert.That(
            () => whole.Slice(rowStart, rowCount, columnStart, columnCount),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("are not inside the matrix"));
    }

    [Test]
    public void SliceKeepsTheMemory()
    {
        long before = LoraKernelsLibrary.LiveHandles;
        DeviceTensor<float> whole = Numbered(2, 2);
        DeviceTensor<float> slice = whole.SliceRows(1, 1);
        DeviceTensor<float> part = slice.SliceColumns(0, 1);

        whole.Dispose();
        slice.Dispose();
        Assert.That(part.ToArray(), Is.EqualTo(new float[] { 2 }));
        Assert.That(LoraKernelsLibrary.LiveHandles, Is.EqualTo(before + 1));

        part.Dispose();
        Assert.That(LoraKernelsLibrary.LiveHandles, Is.EqualTo(before));
    }

    [Test]
    public void DisposedTensorIsRefusedEvenWhileASliceKeepsTheMemory()
    {
        DeviceTensor<float> whole = Numbered(2, 2);
        using DeviceTensor<float> slice = whole.SliceRows(0, 1);
        whole.Dispose();
        whole.Dispose();

        const string name = nameof(DeviceTensor);
        Assert.That(() => whole.ToArray(), Fails.AsDisposed(name));
        Assert.That(() => whole.CopyFrom(new float[4]), Fails.AsDisposed(name));
        Assert.That(() => whole.SliceRows(0, 1), Fails.AsDisposed(name));
    }

    [Test]
    public unsafe void BorrowedMemoryIsReadAndWrittenWhereItIs()
    {
        float[] host = [0, 1, 2, 3, 4, 5];
        fixed (float* data = host)
        {
            long before = LoraKernelsLibrary.LiveHandles;
            DeviceTensor<float> borrowed = DeviceTensor<float>.Borrow(_device, (nint)data, 2, 2, 3);
            using DeviceTensor<float> slice = borrowed.SliceColumns(1, 1);

            Assert.That(borrowed.ToArray(), Is.EqualTo(new float[] { 0, 1, 3, 4 }));
            Assert.That(borrowed.Data, Is.EqualTo((nint)data));
            slice.CopyFrom([10f, 40f]);
            Assert.That(LoraKernelsLibrary.LiveHandles, Is.EqualTo(before));
            borrowed.Dispose();
            Assert.That(() => borrowed.ToArray(), Throws.InstanceOf<ObjectDisposedException>());
        }
        Assert.That(host, Is.EqualTo(new float[] { 0, 10, 2, 3, 40, 5 }));
    }

    [Test]
    public void ViewsKeepTheOwnerOfTheirMemory()
    {
        DeviceTensor<float> view = BorrowOwned(out WeakReference owner);
        DeviceTensor<float> slice = view.SliceRows(1, 1);
        DeviceTensor<float> part = slice.SliceColumns(0, 1);

        view.Dispose();
        slice.Dispose();
        Assert.That(IsCollected(owner), Is.False);
        Assert.That(part.ToArray(), Is.EqualTo(new float[] { 3 }));

        part.Dispose();
        Assert.That(IsCollected(owner));
        GC.KeepAlive((view, slice, part));
    }

    [Test]
    public void BorrowedMemoryIsDescribedInFull()
    {
        Assert.That(
            () => DeviceTensor<float>.Borrow(_device, 0, 1, 1, 1),
            Throws.ArgumentException.With.Message.Contains("data is 0"));
        Assert.That(
            () => DeviceTensor<float>.Borrow(_device, 0x1002, 1, 1, 1),
            Throws.ArgumentException.With.Message.Contains("0x1002, not a multiple of 4"));
        Assert.That(
            () => DeviceTensor<float>.Borrow(_device, 0x1000, 2, 4, 3),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("rowStride"));
        Assert.That(
            () => DeviceTensor<float>.Borrow(_device, 0x1000, -1, 4, 4),
            Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => DeviceTensor<float>.Borrow(null!, 0, 0, 0, 0), Throws.ArgumentNullException);
        using DeviceTensor<float> empty = DeviceTensor<float>.Borrow(_device, 0, 0, 4, 4);
        Assert.That(empty.ToArray(), Is.Empty);
    }

    [Test]
    public void CopiesOnTheDevice()
    {
        using DeviceTensor<float> whole = Numbered(3, 4);
        using DeviceTensor<float> left = whole.SliceColumns(0, 2);
        using DeviceTensor<float> right = whole.SliceColumns(2, 2);
        using DeviceTensor<float> middle = whole.SliceColumns(1, 2);

        left.CopyTo(right);

        Assert.That(whole.ToArray(), Is.EqualTo(new float[] { 0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9 }));
        Assert.That(() => left.CopyTo(middle), Fails.With(LoraKernelsStatus.Overlap));
        Assert.That(() => left.CopyTo(whole), Fails.With(LoraKernelsStatus.ShapeMismatch));
    }

    [Test]
    public void TensorsOutliveTheirDevice()
    {
        using Device other = Device.OpenCpu();
        Device gone = Device.OpenCpu();
        using DeviceTensor<float> tensor = gone.Upload<float>([1, 2], 1, 2);
        gone.Dispose();

        Assert.That(() => tensor.ToArray(), Fails.AsDisposed(nameof(Device)));
        Assert.That(tensor.ToArray(other.DefaultStream), Is.EqualTo(new float[] { 1, 2 }));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private DeviceTensor<float> BorrowOwned(out WeakReference owner)
    {
        float[] memory = GC.AllocateArray<float>(6, pinned: true);
        for (int i = 0; i < memory.Length; i++)
            memory[i] = i;
        owner = new WeakReference(memory);
        nint data = Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0);
        return DeviceTensor<float>.Borrow(_device, data, 2, 2, 3, memory);
    }

    private static bool IsCollected(WeakReference owner)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        return !owner.IsAlive;
    }

    private DeviceTensor<float> Numbered(int rows, int columns) =>
        _device.Upload<float>([.. Enumerable.Range(0, rows * columns).Select(i => (float)i)], rows, columns);

    private void AssertRoundTrip<T>(T[] values, DType dtype)
        where T : unmanaged
    {
        using DeviceTensor<T> tensor = _device.Upload<T>(values, 2, 3);
        Assert.That(tensor.DType, Is.EqualTo(dtype));
        Assert.That((tensor.Rows, tensor.Columns, tensor.RowStride), Is.EqualTo((2, 3, 3)));
        Assert.That(tensor.ToArray(), Is.EqualTo(values));
        Assert.That(tensor.ToString(), Is.EqualTo($"{typeof(T).Name} [2, 3] on {_device}"));
    }
}
