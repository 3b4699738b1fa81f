using NUnit.Framework;

namespace LoraKernels.Tests.Api;

/// <summary>Tensors from and to engines that speak DLPack.</summary>
public sealed class DlpackTests
{
    private Device _device = null!;

    [SetUp]
    public void Open() => _device = Device.OpenCpu();

    [TearDown]
    public void Close() => _device.Dispose();

    [Test]
    public void ImportedTensorIsUsedWhereItIs()
    {
        using var theirs = new ForeignTensor<float>([0, 1, 2, 3, 4, 5], [2, 3]);
        using DeviceTensor<float> matrix = Dlpack.Import<float>(_device, theirs.Pointer);

        Assert.That((matrix.Rows, matrix.Columns, matrix.RowStride), Is.EqualTo((2, 3, 3)));
        Assert.That(matrix.ToArray(), Is.EqualTo(theirs.Memory));
        matrix.CopyFrom([9f, 8, 7, 6, 5, 4]);
        Assert.That(theirs.Memory, Is.EqualTo(new float[] { 9, 8, 7, 6, 5, 4 }));
    }

    [Test]
    public void ImportedStridesAndOffsetAreKept()
    {
        using var theirs =
            new ForeignTensor<float>([0, 1, 2, 3, 4, 5, 6, 7], [2, 3], strides: [4, 1], byteOffset: sizeof(float));
        using DeviceTensor<float> matrix = Dlpack.Import<float>(_device, theirs.Pointer);

        Assert.That(matrix.ToArray(), Is.EqualTo(new float[] { 1, 2, 3, 5, 6, 7 }));
    }

    [Test]
    public void SixteenBitElementsAreImported()
    {
        Half[] halves = [(Half)1, (Half)(-2), Half.Epsilon];
        BFloat16[] bfloats = [(BFloat16)1, (BFloat16)(-2), BFloat16.Epsilon];
        using var theirHalves = new ForeignTensor<Half>(halves, [3], code: 2);
        using var theirBfloats = new ForeignTensor<BFloat16>(bfloats, [3], code: 4);
        using DeviceTensor<Half> ofHalves = Dlpack.Import<Half>(_device, theirHalves.Pointer);
        using DeviceTensor<BFloat16> ofBfloats = Dlpack.Import<BFloat16>(_device, theirBfloats.Pointer);

        Assert.That((ofHalves.Rows, ofHalves.Columns), Is.EqualTo((1, 3)), "one dimension is a row");
        Assert.That(ofHalves.ToArray(), Is.EqualTo(halves));
        Assert.That(ofBfloats.ToArray(), Is.EqualTo(bfloats));
    }

    // The stride of a dimension of one element, or of none, may be anything.
    [TestCase(new long[] { 1, 4 }, new long[] { -7, 1 })]
    [TestCase(new long[] { 4, 1 }, new long[] { 1, 99 })]
    [TestCase(new long[] { 0, 4 }, new long[] { 0, 0 })]
    [TestCase(new long[] { 4, 0 }, new long[] { 0, 1 })]
    public void StridesThatMeanNothingAreTaken(long[] shape, long[] strides)
    {
        float[] values = [1, 2, 3, 4];
        using var theirs = new ForeignTensor<float>(values, shape, strides);
        using DeviceTensor<float> matrix = Dlpack.Import<float>(_device, theirs.Pointer);

        Assert.That((matrix.Rows, matrix.Columns), Is.EqualTo((shape[0], shape[1])));
        Assert.That(matrix.ToArray(), Is.EqualTo(shape.Contains(0) ? [] : values));
    }

    [Test]
    public void DeleterIsCalledOnceWhenTheLastSliceIsGone()
    {
        using var theirs = new ForeignTensor<float>([0, 1, 2, 3], [2, 2]);
        DeviceTensor<float> matrix = Dlpack.Import<float>(_device, theirs.Pointer);
        DeviceTensor<float> slice = matrix.SliceRows(1, 1);

        matrix.Dispose();
        matrix.Dispose();
        Assert.That(theirs.Deletions, Is.Zero);
        Assert.That(slice.ToArray(), Is.EqualTo(new float[] { 2, 3 }));
        slice.Dispose();
        Assert.That(theirs.Deletions, Is.EqualTo(1));
    }

    [Test]
    public void TensorMayHaveNoDeleter()
    {
        using var theirs = new ForeignTensor<float>([0, 1], [2], hasDeleter: false);

        Assert.That(() => Dlpack.Import<float>(_device, theirs.Pointer).Dispose(), Throws.Nothing);
    }

    [Test]
    public void TensorsThatAreNoMatrixAreRefusedAndStayTheirs()
    {
        float[] memory = new float[16];
        AssertRefused(new ForeignTensor<float>(memory, [2, 2, 2]), "has 3 dimensions; allowed are 1 and 2");
        AssertRefused(new ForeignTensor<float>(memory, []), "has 0 dimensions");
        AssertRefused(new ForeignTensor<float>(memory, [-1, 2]), "the shape [-1, 2]");
        AssertRefused(new ForeignTensor<float>(memory, [2, 3], strides: [1, 2]), "columns 2 elements apart");
        AssertRefused(new ForeignTensor<float>(memory, [2, 3], strides: [2, 1]), "rows of 3 columns 2 elements apart");
        AssertRefused(new ForeignTensor<float>(memory, [2, 3], strides: [-3, 1]), "-3 elements apart");
        AssertRefused(new ForeignTensor<float>(memory, [2, 3], deviceType: 2), "device type 2, index 0; cpu");
        AssertRefused(new ForeignTensor<float>(memory, [2, 3], deviceId: 1), "device type 1, index 1");
        AssertRefused(new ForeignTensor<float>(memory, [2, 3], code: 0), "type code 0 with 32 bits and 1 lanes");
        AssertRefused(new ForeignTensor<float>(memory, [2, 3], lanes: 2), "2 lanes");
        AssertRefused(new ForeignTensor<double>(new double[6], [2, 3]), "with 64 bits");
        AssertRefused(new ForeignTensor<float>(memory, [2, 3], byteOffset: 2), "not a multiple of 4 bytes");
        Assert.That(() => Dlpack.Import<float>(_device, 0), Throws.ArgumentException.With.Message.Contains("is NULL"));
        Assert.That(() => Dlpack.Import<float>(null!, 0), Throws.ArgumentNullException);
    }

    [Test]
    public void ExportedTensorIsDescribedAsTheFormatSays()
    {
        using DeviceTensor<BFloat16> whole = _device.Allocate<BFloat16>(4, 6);
        using DeviceTensor<BFloat16> part = whole.Slice(1, 2, 3, 3);
        var tensor = new ForeignView(Dlpack.Export(part));

        Assert.That(tensor.Data, Is.EqualTo(part.Data));
        Assert.That(tensor.ByteOffset, Is.Zero);
        Assert.That((tensor.DeviceType, tensor.DeviceId), Is.EqualTo((1, 0)));
        Assert.That((tensor.Code, tensor.Bits, tensor.Lanes), Is.EqualTo((4, 16, 1)));
        Assert.That(tensor.Shape, Is.EqualTo(new long[] { 2, 3 }));
        Assert.That(tensor.Strides, Is.EqualTo(new long[] { 6, 1 }));
        tensor.Delete();
    }

    [Test]
    public void ExportedTensorKeepsTheMemoryUntilItsDeleterIsCalled()
    {
        long before = LoraKernelsLibrary.LiveHandles;
        DeviceTensor<float> matrix = _device.Upload<float>([1, 2, 3, 4], 2, 2);
        var tensor = new ForeignView(Dlpack.Export(matrix));
        matrix.Dispose();

        Assert.That(LoraKernelsLibrary.LiveHandles, Is.EqualTo(before + 1));
        using (DeviceTensor<float> again = Dlpack.Import<float>(_device, tensor.Pointer))
            Assert.That(again.ToArray(), Is.EqualTo(new float[] { 1, 2, 3, 4 }));
        Assert.That(LoraKernelsLibrary.LiveHandles, Is.EqualTo(before));
        Assert.That(() => Dlpack.Export(matrix), Fails.AsDisposed(nameof(DeviceTensor)));
        Assert.That(() => Dlpack.Export(null!), Throws.ArgumentNullException);
    }

    [Test]
    public void BorrowedMemoryIsExportedToo()
    {
        float[] memory = GC.AllocateArray<float>(4, pinned: true);
        nint data = System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0);
        using DeviceTensor<float> borrowed = DeviceTensor<float>.Borrow(_device, data, 2, 2, 2);
        var tensor = new ForeignView(Dlpack.Export(borrowed));

        Assert.That(tensor.Data, Is.EqualTo(data));
        tensor.Delete();
        GC.KeepAlive(memory);
    }

    private void AssertRefused<T>(ForeignTensor<T> theirs, string because)
        where T : unmanaged
    {
        using (theirs)
        {
            Assert.That(
                () => Dlpack.Import<float>(_device, theirs.Pointer),
                Throws.ArgumentException.With.Message.Contains(because));
            Assert.That(theirs.Deletions, Is.Zero);
        }
    }
}
