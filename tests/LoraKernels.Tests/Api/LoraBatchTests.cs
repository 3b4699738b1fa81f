using NUnit.Framework;

namespace LoraKernels.Tests.Api;

/// <summary>Contents that fit are taken; others are refused by row and adapter, and the old ones stay.</summary>
public sealed class LoraBatchTests
{
    private Device _device = null!;
    private LoraTable _table = null!;
    private LoraBatch _batch = null!;
    private LoadedAdapter _sql = null!;
    private LoadedAdapter _support = null!;

    [SetUp]
    public void Open()
    {
        _device = Device.OpenCpu();
        _table = Sample.Table(_device);
        _batch = _table.CreateBatch(new LoraBatchCapacity(4, 6, 2, 24));
        _sql = _table.Add(Sample.Adapter("sql", 1));
        _support = _table.Add(Sample.Adapter("support", 2));
    }

    [TearDown]
    public void Close()
    {
        _batch.Dispose();
        _table.Dispose();
        _device.Dispose();
    }

    [Test]
    public void NewBatchHasNoRows()
    {
        Assert.That((_batch.Rows, _batch.Entries), Is.EqualTo((0, 0)));
        Assert.That(_batch.Table, Is.SameAs(_table));
        Assert.That(_batch.Capacity, Is.EqualTo(new LoraBatchCapacity(4, 6, 2, 24)));
    }

    [Test]
    public void OneAdapterOrNoneOnEachRow()
    {
        _batch.Set([_sql, null, _support]);

        Assert.That((_batch.Rows, _batch.Entries), Is.EqualTo((3, 3)));
        Assert.That(Kernels.LoraShrinkColumns(_batch, Sample.Plain), Is.EqualTo(4));
        Assert.That(Kernels.LoraShrinkColumns(_batch, Sample.Fused), Is.EqualTo(12));
        _batch.Set([]);
        Assert.That((_batch.Rows, _batch.Entries), Is.EqualTo((0, 0)));
    }

    [Test]
    public void SeveralWeightedAdaptersOnARow()
    {
        _batch.Set(3, [0, 2, 2, 4], new LoadedAdapter?[] { _sql, _support, null, _sql }, [1f, 0.5f, 2f, -1f]);
        Assert.That((_batch.Rows, _batch.Entries), Is.EqualTo((3, 4)));

        _batch.Set(2, [0, 1, 2], [_sql.Id, 0L], []);
        Assert.That((_batch.Rows, _batch.Entries), Is.EqualTo((2, 2)));

        _batch.Set(2, [], [_sql.Id, _support.Id], [1f, 1f]);
        Assert.That((_batch.Rows, _batch.Entries), Is.EqualTo((2, 2)));
    }

    [Test]
    public void LengthsFitEachOther()
    {
        Refused(2, [], [_sql.Id], [], "1 adapters for 2 rows");
        Refused(2, [0, 1], [_sql.Id], [], "rowOffsets has 2 elements; 2 rows need 3");
        Refused(1, [0, 2], [_sql.Id], [], "rowOffsets ends with 2; there are 1 adapters");
        Refused(1, [0, 1], [_sql.Id], [1f, 1f], "2 weights for 1 adapters");
        Assert.That(
            () => _batch.Set(-1, [], Array.Empty<long>(), []), Throws.InstanceOf<ArgumentOutOfRangeException>());

        void Refused(long rows, long[] offsets, long[] ids, float[] weights, string message) =>
            Assert.That(
                () => _batch.Set(rows, offsets, ids, weights),
                Throws.TypeOf<ArgumentException>().With.Message.Contains(message));
    }

    [Test]
    public void OffsetsThatDoNotAscendAreRefusedBeforeTheyAreFollowed()
    {
        Assert.That(
            () => _batch.Set(2, [0, 3, 2], [_sql.Id, _sql.Id], []), Fails.With(LoraKernelsStatus.InvalidArgument));
        Assert.That(
            () => _batch.Set(2, [0, 1L << 40, 2], [_sql.Id, _sql.Id], []), Throws.TypeOf<LoraKernelsException>());
        Assert.That(
            () => _batch.Set(2, [0, -5, 2], [_sql.Id, _sql.Id], []), Fails.With(LoraKernelsStatus.InvalidArgument));
        Assert.That(() => _batch.Set(1, [1, 1], [_sql.Id], []), Fails.With(LoraKernelsStatus.InvalidArgument));
        Assert.That(
            () => _batch.Set(1, [], [_sql.Id], [float.NaN]), Fails.With(LoraKernelsStatus.InvalidArgument));
    }

    [Test]
    public void RemovedAdapterIsNamedWithItsRow()
    {
        _batch.Set([_sql]);
        _support.Dispose();
        _support.Dispose();

        Assert.That(_support.IsRemoved);
        Assert.That(
            () => _batch.Set([_sql, null, _support]),
            Throws.TypeOf<ObjectDisposedException>().With.Message.Contains("row 2: adapter 'support'"));
        Assert.That(
            () => _batch.Set(3, [0, 0, 2, 3], new[] { _sql, _support, _sql }, []),
            Throws.TypeOf<ObjectDisposedException>().With.Message.Contains("row 1: adapter 'support'"));
        Assert.That(() => _batch.Set(1, [], [_support.Id], []), Fails.With(LoraKernelsStatus.NotFound));
        Assert.That((_batch.Rows, _batch.Entries), Is.EqualTo((1, 1)));
    }

    [Test]
    public void AdapterOfAnotherTableIsNamedWithItsRow()
    {
        using LoraTable other = Sample.Table(_device);
        using LoadedAdapter stranger = other.Add(Sample.Adapter("stranger"));

        Assert.That(
            () => _batch.Set([_sql, stranger]),
            Throws.TypeOf<ArgumentException>().With.Message.Contains("row 1: adapter 'stranger' is in another table"));
    }

    [Test]
    public void BatchKeepsWhatItHoldsOfARemovedAdapter()
    {
        _batch.Set([_sql, _support]);
        long both = _table.Bytes;
        _sql.Dispose();

        Assert.That(_table.Bytes, Is.EqualTo(both));
        Assert.That(Kernels.LoraShrinkColumns(_batch, Sample.Plain), Is.EqualTo(4));
        _batch.Set([_support]);
        Assert.That(_table.Bytes, Is.LessThan(both));
    }

    [Test]
    public void MoreThanTheCapacityIsRefusedAndTheOldContentsStay()
    {
        using LoadedAdapter third = _table.Add(Sample.Adapter("third", 3));
        _batch.Set([_sql]);

        Assert.That(() => _batch.Set(new LoadedAdapter?[5]), Fails.With(LoraKernelsStatus.CapacityExceeded));
        Assert.That(() => _batch.Set([_sql, _support, third]), Fails.With(LoraKernelsStatus.CapacityExceeded));
        long[] seven = [.. Enumerable.Repeat(_sql.Id, 7)];
        Assert.That(() => _batch.Set(1, [0, 7], seven, []), Fails.With(LoraKernelsStatus.CapacityExceeded));
        Assert.That((_batch.Rows, _batch.Entries), Is.EqualTo((1, 1)));
    }

    [Test]
    public void LongBatchesAreSetToo()
    {
        using LoraBatch batch = _table.CreateBatch(LoraBatchCapacity.ForRows(1000, 16, 1, 3));
        LoadedAdapter?[] rows = [.. Enumerable.Range(0, 1000).Select(row => row % 3 == 0 ? null : _sql)];

        batch.Set(rows);

        Assert.That((batch.Rows, batch.Entries), Is.EqualTo((1000, 1000)));
    }

    [Test]
    public void SettingAllocatesNothing()
    {
        LoadedAdapter?[] rows = [_sql, null, _support];
        for (int i = 0; i < 50; i++)
            _batch.Set(rows);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            _batch.Set(rows);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void BatchOutlivesItsTable()
    {
        _batch.Set([_sql]);
        _table.Dispose();

        Assert.That(Kernels.LoraShrinkColumns(_batch, Sample.Plain), Is.EqualTo(4));
        Assert.That(() => _table.Bytes, Fails.AsDisposed(nameof(LoraTable)));
        Assert.That(() => _table.Add(Sample.Adapter()), Fails.AsDisposed(nameof(LoraTable)));
        Assert.That(() => _table.CreateBatch(Sample.Capacity), Fails.AsDisposed(nameof(LoraTable)));
        Assert.That(() => _sql.Dispose(), Throws.Nothing);
        _batch.Dispose();
        Assert.That(() => _batch.Set([]), Fails.AsDisposed(nameof(LoraBatch)));
    }
}
