using LoraKernels.Tests.Operations;
using NUnit.Framework;

namespace LoraKernels.Tests.Properties;

/// <summary>What adapters take is known before they are added, and comes back when they go.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Names))]
public sealed class AdapterMemoryTests(string deviceName) : DeviceFixture(deviceName)
{
    private const string Plain = "layer";
    private const string Fused = "fused";

    private LoraTable Table() => new(
        Device,
        [
            new LoraModule(Plain, 96, 200),
            new LoraModule(Fused, 96, 120, new OutputSlice("q", 0, 50), new OutputSlice("k", 50, 30), new OutputSlice("v", 80, 40)),
        ]);

    private static LoraFactors Update(string module, int rank, int outFeatures, bool withBias = false) => new(
        module,
        HostMatrix.From(new float[rank * 96], rank, 96),
        HostMatrix.From(new float[outFeatures * rank], outFeatures, rank),
        1,
        bias: withBias ? HostMatrix.From(new float[outFeatures], 1, outFeatures) : null);

    private static IEnumerable<LoraAdapter> Adapters()
    {
        yield return new LoraAdapter("none", []);
        foreach (int rank in (int[])[1, 8, 9, 64, 300])
        {
            yield return new LoraAdapter($"plain {rank}", [Update(Plain, rank, 200)]);
            yield return new LoraAdapter($"biased {rank}", [Update(Plain, rank, 200, true), Update("k", rank, 30)]);
            yield return new LoraAdapter($"fused {rank}", [Update(Fused, rank, 120), Update(Plain, 2 * rank % 500, 200)]);
        }
    }

    [Test]
    public void AdaptersTakeWhatWasMeasured()
    {
        using LoraTable table = Table();
        var loaded = new List<LoadedAdapter>();
        foreach (LoraAdapter adapter in Adapters())
        {
            long before = table.Bytes, measured = table.Measure(adapter);
            LoadedAdapter added = table.Add(adapter);
            loaded.Add(added);

            Assert.That(added.Bytes, Is.EqualTo(measured), adapter.Name);
            Assert.That(table.Bytes - before, Is.EqualTo(measured), adapter.Name);
            Assert.That(table.Measure(adapter), Is.EqualTo(measured), "whatever is in the table");
            Assert.That(measured, Is.GreaterThanOrEqualTo(Math.Max(1, OwnBytes(adapter))), adapter.Name);
            Assert.That(table.ReservedBytes, Is.GreaterThanOrEqualTo(table.Bytes));
        }
        foreach (LoadedAdapter adapter in loaded)
            adapter.Dispose();
        Assert.That(table.Bytes, Is.Zero);
    }

    [Test]
    public void WhatDoesNotFitIsNotMeasured()
    {
        using LoraTable table = Table();

        Assert.That(
            () => table.Measure(new LoraAdapter("a", [Update("elsewhere", 8, 200)])),
            Throws.TypeOf<AdapterMismatchException>());
        Assert.That(() => table.Measure(null!), Throws.ArgumentNullException);
        table.Dispose();
        Assert.That(() => table.Measure(new LoraAdapter("a", [])), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(table.Trim, Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => table.ReservedBytes, Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void ANormTakesItsVector()
    {
        using LoraTable table = Table();
        LoraFactors update = Update(Plain, 8, 200);
        var withNorm = new LoraFactors(
            Plain, update.A, update.B, 1, magnitude: HostMatrix.From([.. Enumerable.Repeat(1f, 200)], 1, 200));
        using DeviceTensor<float> ones = Device.Upload<float>([.. Enumerable.Repeat(1f, 200 * 96)], 200, 96);
        using QuantizedWeight weight = QuantizedWeight.Quantize(ones);
        var options = new AdapterOptions { BaseWeight = _ => weight };
        var adapter = new LoraAdapter("dora", [withNorm]);

        using LoadedAdapter loaded = table.Add(adapter, options);

        Assert.That(loaded.Bytes, Is.EqualTo(table.Measure(adapter, options)));
    }

    [Test]
    public void TrimmingGivesBackWhatRemovedAdaptersLeft()
    {
        using LoraTable table = Table();
        using LoadedAdapter kept = table.Add(new LoraAdapter("kept", [Update(Plain, 8, 200)]));
        table.Trim();
        long alone = table.ReservedBytes;
        table.Add(new LoraAdapter("large", [Update(Plain, 400, 200)])).Dispose();
        Device.DefaultStream.Synchronize();

        table.Trim();

        Assert.That(table.ReservedBytes, Is.EqualTo(alone));
        Assert.That(table.Bytes, Is.EqualTo(kept.Bytes));
    }

    // What the file has of it.
    private static long OwnBytes(LoraAdapter adapter) =>
        adapter.Factors.Sum(f => f.Rank * (f.A.Columns + f.B.Rows) * sizeof(float));
}
