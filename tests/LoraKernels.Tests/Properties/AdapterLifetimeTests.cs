using LoraKernels.Tests.Operations;
using NUnit.Framework;

namespace LoraKernels.Tests.Properties;

/// <summary>Adapters come and go while batches hold them; nobody is ever served another's.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Names))]
public sealed class AdapterLifetimeTests(string deviceName) : DeviceFixture(deviceName)
{
    [Test]
    public void ABatchKeepsTheAdaptersThatWereRemovedUntilItIsSetAnew()
    {
        using var rig = new LinearRig<float>(Device);
        var plan = LinearRig<float>.MixedPlan(11);
        float[] x = rig.X(11);
        using LoraBatch batch = rig.Batch(plan);
        float[] before = rig.Forward(x, batch);
        long bytes = rig.Table.Bytes;

        // What is added afterwards must not land where the batch still reads.
        foreach (LoadedAdapter adapter in rig.Loaded)
            adapter.Dispose();
        Assert.That(rig.Table.Bytes, Is.EqualTo(bytes), "the batch still holds all of them");
        for (int i = 0; i < 8; i++)
            rig.AddAdapter(rig.RandomAdapter(new Random(i), 48, fill: 1e9f));

        Bits.AssertSame<float>(rig.Forward(x, batch), before, "after removal");

        long withNew = rig.Table.Bytes;
        rig.Set(batch, [.. plan.Select(_ => Array.Empty<(int, float)>())]);
        Assert.That(rig.Table.Bytes, Is.EqualTo(withNew - bytes), "nobody holds them any more");
    }

    [Test]
    public void IdsAreNeverUsedAgain()
    {
        using var rig = new LinearRig<float>(Device, 16, 32);
        var seen = new HashSet<long>(rig.Loaded.Select(adapter => adapter.Id));
        var random = new Random(1);
        for (int i = 0; i < 200; i++)
        {
            LoadedAdapter adapter = rig.Table.Add(rig.RandomAdapter(random, 1 + i % 9));
            Assert.That(adapter.Id, Is.Positive);
            Assert.That(seen.Add(adapter.Id), $"id {adapter.Id} twice");
            adapter.Dispose();
        }
    }

    [Test]
    public void ARemovedAdapterCannotBeNamedAndTheBatchKeepsItsContents()
    {
        using var rig = new LinearRig<float>(Device);
        float[] x = rig.X(2);
        using LoraBatch batch = rig.Batch([(0, 1)], [(1, 1)]);
        float[] before = rig.Forward(x, batch);
        long id = rig.Loaded[1].Id;
        rig.Loaded[1].Dispose();

        LoraKernelsException? exception =
            Assert.Throws<LoraKernelsException>(() => batch.Set(2, [0, 1, 2], new[] { rig.Loaded[0].Id, id }, []));
        Assert.That(exception!.Status, Is.EqualTo(LoraKernelsStatus.NotFound));
        Assert.That(exception.Message, Does.Contain($"{id}"));
        Bits.AssertSame<float>(rig.Forward(x, batch), before, "old contents");
    }

    [Test]
    public void MoreThanTheCapacityIsRefusedAndTheBatchKeepsItsContents()
    {
        using var rig = new LinearRig<float>(Device);
        float[] x = rig.X(2);
        long two = rig.Loaded[2].Id;
        using LoraBatch batch = rig.Table.CreateBatch(new LoraBatchCapacity(2, 3, 2, 7 + 7 + 1));
        rig.Set(batch, [[(0, 1)], [(1, 1)]]);
        float[] before = rig.Forward(x, batch);

        AssertRefused(3, [0, 0, 0, 0], []);
        AssertRefused(2, [0, 2, 4], [two, two, two, two]);
        AssertRefused(2, [0, 1, 3], [.. rig.Loaded.Take(2).Append(rig.Loaded[3]).Select(adapter => adapter.Id)]);
        AssertRefused(2, [0, 1, 2], [two, two]);
        Bits.AssertSame<float>(rig.Forward(x, batch), before, "old contents");

        void AssertRefused(long rows, long[] offsets, long[] ids)
        {
            LoraKernelsException? exception =
                Assert.Throws<LoraKernelsException>(() => batch.Set(rows, offsets, ids, []));
            Assert.That(exception!.Status, Is.EqualTo(LoraKernelsStatus.CapacityExceeded), exception.Message);
        }
    }

    [Test]
    public void ABatchSetAnewHasOnlyItsNewContents()
    {
        using var rig = new LinearRig<Half>(Device);
        using LoraBatch batch = rig.Batch(LinearRig<Half>.MixedPlan(40));
        var random = new Random(2);
        foreach (int rows in (int[])[40, 3, 0, 17, 1, 40])
        {
            (int, float)[][] plan =
            [
                .. Enumerable.Range(0, rows).Select(_ => Enumerable.Range(0, random.Next(4))
                    .Select(_ => (random.Next(4), random.NextSingle())).ToArray()),
            ];
            Half[] x = rig.X(rows, rows);
            rig.Set(batch, plan);

            Assert.That(batch.Rows, Is.EqualTo(rows));
            Bits.AssertSame<Half>(rig.Forward(x, batch), rig.Forward(x, plan), $"{rows} rows");
        }
    }
}
