using LoraKernels.Checkpoints;
using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>A slice reads its own share of a weight's tensors, and no more, and has the whole's numbers.</summary>
public sealed class SliceReadingTests : FolderTests
{
    private const int N = 64, K = 1024;

    private static IEnumerable<VerificationFormat> Formats => VerificationFormats.All;

    [TestCaseSource(nameof(Formats))]
    public void RowsReadTheirShare(VerificationFormat format)
    {
        var weight = Sample(format);
        foreach ((int first, int count) in ((int, int)[])[(0, 16), (32, 32), (24, 8), (8, 48), (0, N)])
        {
            var (slice, source) = Read(weight, WeightSlice.Rows(first, count));
            Assert.That(Decode(slice), Is.EqualTo(Decode(weight)[(first * K)..((first + count) * K)]));
            CheckShare(source, weight, (double)count / N, format == VerificationFormat.Hqq ? 2 : 1);
        }
    }

    [TestCaseSource(nameof(Formats))]
    public void ColumnsReadTheirShare(VerificationFormat format)
    {
        var weight = Sample(format);
        if (!weight.GroupIndex.IsEmpty)
        {
            Assert.That(() => Read(weight, WeightSlice.Columns(0, 256)), Throws.ArgumentException.With.Message.Contains("act-order"));
            return;
        }
        float[] whole = Decode(weight);
        foreach ((int first, int count) in ((int, int)[])[(0, 256), (256, 512), (768, 256), (0, K)])
        {
            var (slice, source) = Read(weight, WeightSlice.Columns(first, count));
            Assert.That(Decode(slice), Is.EqualTo((float[])[.. Enumerable.Range(0, N).SelectMany(n => whole.Skip(n * K + first).Take(count))]));
            CheckShare(source, weight, (double)count / K, 1);
        }
    }

    [Test]
    public void AnOddNumberOfHqqRowsIsCutInItsMiddle()
    {
        var weight = Sample(VerificationFormat.Hqq, outFeatures: 7);
        float[] whole = Decode(weight);
        foreach ((int first, int count) in ((int, int)[])[(0, 2), (3, 1), (2, 4), (5, 2), (1, 6)])
        {
            var (slice, source) = Read(weight, WeightSlice.Rows(first, count));
            Assert.That(Decode(slice), Is.EqualTo(whole[(first * K)..((first + count) * K)]));
            CheckShare(source, weight, count / 7.0, 2);
        }
        var (columns, _) = Read(weight, WeightSlice.Columns(128, 256));
        Assert.That(Decode(columns), Is.EqualTo((float[])[.. Enumerable.Range(0, 7).SelectMany(n => whole.Skip(n * K + 128).Take(256))]));
    }

    [Test]
    public void NestedScalesThatBecomePlainAreReadInSlicesToo()
    {
        var weight = Sample(VerificationFormat.Nf4Nested);
        var (slice, source) = Read(weight, WeightSlice.Columns(64, 64));
        Assert.That(slice.OuterGroupSize, Is.Zero);
        float[] whole = Decode(weight);
        Assert.That(Decode(slice), Is.EqualTo((float[])[.. Enumerable.Range(0, N).SelectMany(n => whole.Skip(n * K + 64).Take(64))]));
        CheckShare(source, weight, 64.0 / K, 1);
    }

    [Test]
    public void RowsOfGroupsThatRunOnReadTheirShare()
    {
        var weight = Sample(VerificationFormat.Nf4, inFeatures: 96);
        var (slice, source) = Read(weight, WeightSlice.Rows(10, 36));
        Assert.That(Decode(slice), Is.EqualTo(Decode(weight)[(10 * 96)..(46 * 96)]));
        CheckShare(source, weight, 36.0 / N, 1);
    }

    /// <summary>Through a checkpoint's own readers, loads and files.</summary>
    [Test]
    public async Task LoadsReadNoMoreThanTheirSlices()
    {
        string path = Folder.Combine("model.safetensors");
        SafetensorsWriter.Write(path, KindFiles.Awq());
        var source = new CountingSource(SafetensorsSource.Open(path));
        using var checkpoint = new Checkpoint(source, null);
        using var device = Device.Open("cpu:portable");
        using var whole = checkpoint.LoadWeight(KindFiles.Layer, device);
        var info = checkpoint.Weights[0];
        Assert.That(source.All, Is.EqualTo(info.Bytes));
        source.Reset();
        var slice = WeightSlice.Rows(8, 8);
        using var rows = checkpoint.LoadWeight(KindFiles.Layer, device, slice: slice);
        Assert.That(source.All, Is.EqualTo(info.Bytes / 2));
        source.Reset();
        using var loaded = await checkpoint.LoadAllAsync(device, new LoadOptions { Slice = _ => slice });
        Assert.That(source.All, Is.EqualTo(info.Bytes / 2));
        var expected = whole.Unpack().Slice(slice);
        foreach (var part in (WeightTensors[])[rows.Unpack(), loaded[KindFiles.Layer].Unpack()])
        {
            Assert.That(part.Codes.ToArray(), Is.EqualTo(expected.Codes.ToArray()));
            Assert.That(part.Scales.ToArray(), Is.EqualTo(expected.Scales.ToArray()));
            Assert.That(part.ZeroPoints.ToArray(), Is.EqualTo(expected.ZeroPoints.ToArray()));
        }
    }

    /// <summary>No more than its share of what grows with N and K, rounded up to elements, and the small tensors whole.</summary>
    private static void CheckShare(CountingSource source, WeightTensors weight, double share, int codes)
    {
        void Expect(string tensor, long bytes, double most) =>
            Assert.That(source.Of(tensor), Is.LessThanOrEqualTo(Math.Min(bytes, Math.Ceiling(most * bytes))), tensor);
        Expect("codes", weight.Codes.Length, codes * share);
        Expect("scales", weight.Scales.Length, share);
        Expect("zeros", weight.ZeroPoints.Length, share);
        Expect("index", weight.GroupIndex.Length, 1);
        Expect("table", weight.Table.Length, 1);
        Expect("outer-table", weight.OuterTable.Length, 1);
        Expect("outer-scales", weight.OuterScales.Length, 1);
    }

    private static (WeightTensors Slice, CountingSource Source) Read(WeightTensors weight, WeightSlice slice)
    {
        (string Name, ReadOnlyMemory<byte> Data)[] tensors =
        [
            ("codes", weight.Codes), ("scales", weight.Scales), ("zeros", weight.ZeroPoints), ("index", weight.GroupIndex),
            ("table", weight.Table), ("outer-table", weight.OuterTable), ("outer-scales", weight.OuterScales),
        ];
        var source = new CountingSource(new MemorySource(
            [.. tensors.Select(t => new MemoryTensor(t.Name, TensorType.U8, [t.Data.Length], t.Data.ToArray()))]));
        var info = new WeightInfo("w", weight.Format, weight.OutFeatures, weight.InFeatures, weight.GroupSize, false, weight.Bytes);
        var entry = new WeightEntry(info, source.Tensors, read => new WeightTensors
        {
            Format = weight.Format,
            OutFeatures = weight.OutFeatures,
            InFeatures = weight.InFeatures,
            GroupSize = weight.GroupSize,
            OuterGroupSize = weight.OuterGroupSize,
            OuterOffset = weight.OuterOffset,
            TensorScale = weight.TensorScale,
            TensorScaleDivides = weight.TensorScaleDivides,
            ScaleDType = weight.ScaleDType,
            Codes = read(new TensorPart(source.Find("codes")!)),
            Scales = read(new TensorPart(source.Find("scales")!)),
            ZeroPoints = read(new TensorPart(source.Find("zeros")!)),
            GroupIndex = read(new TensorPart(source.Find("index")!)),
            Table = read(new TensorPart(source.Find("table")!)),
            OuterTable = read(new TensorPart(source.Find("outer-table")!)),
            OuterScales = read(new TensorPart(source.Find("outer-scales")!)),
        });
        return (entry.ReadSlice(
            part =>
            {
                byte[] bytes = new byte[part.Bytes];
                source.Read(part, bytes);
                return bytes;
            },
            slice), source);
    }

    private static WeightTensors Sample(VerificationFormat format, int inFeatures = K, int outFeatures = N) => WeightSamples.Create(
        new VerificationCase
        {
            Op = VerificationOp.Pack,
            Format = format,
            OutFeatures = outFeatures,
            InFeatures = inFeatures,
            GroupSize = 64,
            ScaleDType = DType.Float16,
        },
        new Random(1));

    private static float[] Decode(WeightTensors weight) => ReferenceBridge.Weight(weight).Decode();
}
