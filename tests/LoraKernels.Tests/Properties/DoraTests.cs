using LoraKernels.Tests.Api;
using LoraKernels.Verification;
using LoraKernels.Verification.Reference;
using NUnit.Framework;

namespace LoraKernels.Tests.Properties;

/// <summary>DoRA and biases of B in one batch with plain adapters and rows without, and what cannot be in one.</summary>
public sealed class DoraTests
{
    private const int Rank = 4;
    private const int K = Sample.InFeatures;
    private const int N = Sample.OutFeatures;
    private const double Limit = 1e-5;

    private Device _device = null!;
    private QuantizedWeight _weight = null!;
    private ReferenceWeight _reference = null!;
    private LoraTable _table = null!;
    private AdapterOptions _options = null!;
    private float[] _x = null!;

    [SetUp]
    public void Open()
    {
        _device = Device.OpenCpu();
        _weight = Sample.Weight(_device);
        _reference = ReferenceBridge.Weight(_weight.Unpack());
        _table = Table(_device);
        _options = new AdapterOptions { BaseWeight = name => name == Sample.Plain ? _weight : null };
        _x = Sample.Values(5 * K, 99);
    }

    [TearDown]
    public void Close()
    {
        _table.Dispose();
        _weight.Dispose();
        _device.Dispose();
    }

    [Test]
    public void OneBatchHasAllKindsAndEachRowHasItsOwnBits()
    {
        LoraAdapter[] adapters = [Plain(1), WithBias(2), WithMagnitude(3)];
        LoadedAdapter[] loaded = [.. adapters.Select(adapter => _table.Add(adapter, _options))];
        LoadedAdapter?[] rows = [loaded[2], null, loaded[1], loaded[0], loaded[2]];

        float[] together = Run(rows.Select(adapter => Entries((adapter, 1))));
        for (int row = 0; row < rows.Length; row++)
        {
            LoadedAdapter?[] alone = new LoadedAdapter?[rows.Length];
            alone[row] = rows[row];
            Assert.That(
                Run(alone.Select(adapter => Entries((adapter, 1))))[(row * N)..((row + 1) * N)],
                Is.EqualTo(together[(row * N)..((row + 1) * N)]), $"row {row}");
        }

        int[] order = [2, -1, 1, 0, 2];
        Check(together, [.. order.Select((a, row) => (row, a)).Where(e => e.a >= 0).Select(e => Entry(e.row, adapters[e.a], 1))]);
    }

    [Test]
    public void StackedAdaptersFollowPeftsOrder()
    {
        // PEFT gives each adapter the result so far, of which DoRA rescales all: before and after are not the same.
        LoraAdapter plain = WithBias(5), dora = WithMagnitude(6), other = WithMagnitude(7);
        using LoadedAdapter loadedPlain = _table.Add(plain, _options), loadedDora = _table.Add(dora, _options),
            loadedOther = _table.Add(other, _options);

        float[] y = Run(
        [
            Entries((loadedPlain, 0.5f), (loadedDora, 1)), Entries((loadedDora, 1), (loadedPlain, 0.5f)),
            Entries((loadedDora, 1), (loadedOther, 1)), Entries((null, 1)), Entries((loadedOther, 1), (loadedDora, 1)),
        ]);

        Check(y,
        [
            Entry(0, plain, 0.5f), Entry(0, dora, 1), Entry(1, dora, 1), Entry(1, plain, 0.5f), Entry(2, dora, 1),
            Entry(2, other, 1), Entry(4, other, 1), Entry(4, dora, 1),
        ]);
    }

    [Test]
    public void DoraTakesTheWeightOneOnly()
    {
        using LoadedAdapter dora = _table.Add(WithMagnitude(3), _options);
        using LoraBatch batch = Batch();
        LoraKernelsException error = Assert.Throws<LoraKernelsException>(() => batch.Set(1, [0, 1], [dora.Id], [0.5f]))!;
        Assert.That(error.Status, Is.EqualTo(LoraKernelsStatus.Unsupported));
        Assert.That(error.Message, Does.Contain("weights[0]").And.Contain("0.5").And.Contain("column_scale"));
    }

    [Test]
    public void DoraNeedsTheBasesWeightBeforeAnythingIsMoved()
    {
        using QuantizedWeight narrow = Sample.Weight(_device, 32);
        AdapterOptions[] all = [AdapterOptions.None, new() { BaseWeight = _ => null }, new() { BaseWeight = _ => narrow }];
        foreach (AdapterOptions options in all)
        {
            var error = Assert.Throws<AdapterMismatchException>(() => _table.Add(WithMagnitude(3), options))!;
            Assert.That(error.Mismatches.Single(), Does.Contain(Sample.Plain).And.Contain("weight"));
        }
        Assert.That(_table.Bytes, Is.Zero);
    }

    [Test]
    public void ARowWithoutANormIsNamed()
    {
        using DeviceTensor<float> zeros = _device.Upload<float>(new float[N * K], N, K);
        using QuantizedWeight weight = QuantizedWeight.Quantize(zeros);
        LoraFactors factors = Factors(3, magnitude: true);
        var nothing = new LoraFactors(
            factors.Module, factors.A, HostMatrix.From(new float[N * Rank], N, Rank), 1, magnitude: factors.Magnitude);

        var error = Assert.Throws<AdapterMismatchException>(() => _table.Add(
            new LoraAdapter("zero", [nothing]), new AdapterOptions { BaseWeight = _ => weight }))!;

        Assert.That(error.Mismatches.Single(), Does.Contain("row 0").And.Contain("norm 0"));
    }

    [TestCase(6, K), TestCase(K, 6)]
    public void AModuleTrainedInFullReplacesTheBase(int outFeatures, int inFeatures)
    {
        using var table = new LoraTable(_device, [new LoraModule("score", inFeatures, outFeatures)]);
        using QuantizedWeight weight = Sample.Weight(_device, outFeatures, inFeatures);
        float[] own = Sample.Values(outFeatures * inFeatures, 5);
        using LoadedAdapter loaded = table.Add(new LoraAdapter(
            "full", [], savedModules: [new SavedModule("score", HostMatrix.From(own, outFeatures, inFeatures))]));
        using LoraBatch batch = table.CreateBatch(LoraBatchCapacity.ForRows(2, 64));
        batch.Set([loaded, null]);
        float[] x = Sample.Values(2 * inFeatures, 6);
        using DeviceTensor<float> input = _device.Upload<float>(x, 2, inFeatures), output = _device.Allocate<float>(2, outFeatures);
        new Linear(weight, "score").Forward(input, batch, output);

        float[] y = output.ToArray();
        ReferenceWeight reference = ReferenceBridge.Weight(weight.Unpack());
        double[] based = ReferenceLinear.Matmul(Elements.ToDoubles(x), 2, reference);
        double[] expected = [.. Enumerable.Range(0, outFeatures).Select(n => Enumerable.Range(0, inFeatures)
            .Sum(k => (double)x[k] * own[n * inFeatures + k]))];
        Assert.That(VerificationError.Relative(y.AsSpan(0, outFeatures), expected), Is.LessThan(Limit));
        Assert.That(VerificationError.Relative(y.AsSpan(outFeatures), based.AsSpan(outFeatures)), Is.LessThan(Limit));
    }

    [Test]
    public void AModuleTrainedInFullIsRefusedWhereItCannotBeApplied()
    {
        HostMatrix weight = HostMatrix.From(new float[6 * K], 6, K);
        var withBias = new LoraAdapter("b", [], savedModules: [new SavedModule("score", weight, HostMatrix.From(new float[6], 1, 6))]);
        var wide = new LoraTable(_device, [new LoraModule("head", 600, 601)]);
        var large = new LoraAdapter("l", [], savedModules: [new SavedModule("head", HostMatrix.From(new float[601 * 600], 601, 600))]);
        Assert.That(Assert.Throws<AdapterMismatchException>(() => _table.Add(withBias))!.Mismatches.Single(), Does.Contain("bias"));
        Assert.That(Assert.Throws<AdapterMismatchException>(() => wide.Add(large))!.Mismatches.Single(), Does.Contain("512"));
        wide.Dispose();
    }

    private static LoraTable Table(Device device) =>
        new(device, [new LoraModule(Sample.Plain, K, N), new LoraModule("score", K, 6)]);

    private static LoraFactors Factors(int seed, bool bias = false, bool magnitude = false) => new(
        Sample.Plain,
        HostMatrix.From(Sample.Values(Rank * K, seed), Rank, K),
        HostMatrix.From(Sample.Values(N * Rank, seed + 100), N, Rank),
        0.5f,
        bias ? HostMatrix.From(Sample.Values(N, seed + 200), 1, N) : null,
        magnitude ? HostMatrix.From([.. Sample.Values(N, seed + 300).Select(v => 3 + v)], 1, N) : null);

    private static LoraAdapter Plain(int seed) => new("plain", [Factors(seed)]);

    private static LoraAdapter WithBias(int seed) => new("bias", [Factors(seed, bias: true)]);

    private static LoraAdapter WithMagnitude(int seed) => new("dora", [Factors(seed, magnitude: true)]);

    private ReferenceEntry Entry(int row, LoraAdapter adapter, float weight) =>
        new(row, ReferenceBridge.Factors(adapter, _table.Modules[0], _reference), weight);

    private static (LoadedAdapter? Adapter, float Weight)[] Entries(params (LoadedAdapter? Adapter, float Weight)[] entries) => entries;

    private LoraBatch Batch() => _table.CreateBatch(LoraBatchCapacity.ForRows(5, 16, 2));

    private float[] Run(IEnumerable<(LoadedAdapter? Adapter, float Weight)[]> rows)
    {
        (LoadedAdapter? Adapter, float Weight)[][] all = [.. rows];
        long[] offsets = [0, .. all.Select((_, i) => (long)all.Take(i + 1).Sum(row => row.Length))];
        using LoraBatch batch = Batch();
        batch.Set(
            all.Length, offsets, all.SelectMany(row => row).Select(e => e.Adapter?.Id ?? 0).ToArray(),
            all.SelectMany(row => row).Select(e => e.Weight).ToArray());
        using DeviceTensor<float> x = _device.Upload<float>(_x, 5, K), y = _device.Allocate<float>(5, N);
        using DeviceTensor<float> bias = _device.Upload<float>(Sample.Values(N, 77), 1, N);
        new Linear(_weight, Sample.Plain, bias).Forward(x, batch, y);
        return y.ToArray();
    }

    private void Check(float[] y, ReferenceEntry[] entries)
    {
        double[] expected = ReferenceLinear.Linear(
            Elements.ToDoubles(_x), 5, _reference, entries, Elements.ToDoubles(Sample.Values(N, 77)));
        for (int row = 0; row < 5; row++)
        {
            Assert.That(
                VerificationError.Relative(y.AsSpan(row * N, N), expected.AsSpan(row * N, N)),
                Is.LessThan(Limit), $"row {row}");
        }
    }
}
