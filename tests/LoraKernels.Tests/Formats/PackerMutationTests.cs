using LoraKernels.Tests.Checkpoints;
using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Formats;

/// <summary>
/// Tensors of every format through the C ABI with sizes, scalars and contents damaged: each is refused with a reason, or
/// packed, decoded and given back bit for bit.
/// </summary>
[TestFixture]
public sealed class PackerMutationTests : IDisposable
{
    private const int Mutations = 400;

    private static readonly long[] Extents =
        [-1, 0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 100, 128, 255, 256, 4096, 4097, 1 << 20, 1L << 31,
            (1L << 31) + 1, 1L << 32, long.MaxValue, long.MinValue];

    private readonly Device _device = Device.OpenCpu();

    private static IEnumerable<string> Formats => VerificationFormats.All.Select(format => format.Name());

    public void Dispose() => _device.Dispose();

    [TestCaseSource(nameof(Formats))]
    public void EveryMutationIsRefusedOrComesBack(string name)
    {
        VerificationFormat format = VerificationFormats.All.Single(f => f.Name() == name);
        int packed = 0, count = MutationRun.Executions(Mutations);
        var refusals = new HashSet<string>(StringComparer.Ordinal);
        using var watchdog = MutationRun.Watch(name);
        for (int seed = 0; seed < count; seed++)
        {
            var random = new Random(seed);
            WeightTensors tensors = Mutate(Sample(format, random), random);
            watchdog?.Begin(seed);
            try
            {
                using QuantizedWeight weight = QuantizedWeight.Pack(_device, tensors);
                packed++;
                Check(weight, tensors, $"{name}, seed {seed}");
            }
            catch (LoraKernelsException e) when (e.Status is LoraKernelsStatus.InvalidArgument or LoraKernelsStatus.Unsupported)
            {
                refusals.Add(new string([.. e.Message.TakeWhile(c => c != ':')]));
                if (e.Message.Length is 0 or > 2000) Assert.Fail($"{name}, seed {seed}: a poor message: {e.Message}");
            }

            watchdog?.End();
        }

        TestContext.Out.WriteLine($"{count} mutations, {packed} packed, {refusals.Count} arguments refused");
        Assert.That(packed, Is.InRange(count / 20, count * 19 / 20));
        Assert.That(refusals, Has.Count.AtLeast(3));
    }

    private void Check(QuantizedWeight weight, WeightTensors tensors, string place)
    {
        if (weight.PackedBytes > 4 * tensors.Bytes + (1 << 20))
            Assert.Fail($"{place}: {tensors.Bytes} bytes became {weight.PackedBytes}");
        WeightTensors back = weight.Unpack();
        bool same = back.Codes.Span.SequenceEqual(tensors.Codes.Span) && back.Scales.Span.SequenceEqual(tensors.Scales.Span)
            && back.ZeroPoints.Span.SequenceEqual(tensors.ZeroPoints.Span)
            && back.GroupIndex.Span.SequenceEqual(tensors.GroupIndex.Span);
        if (!same) Assert.Fail($"{place}: the tensors came back changed");
        if (weight.OutFeatures * weight.InFeatures > 1 << 16) return;
        using DeviceTensor<float> decoded = _device.Allocate<float>(weight.OutFeatures, weight.InFeatures);
        weight.Dequantize(decoded);
    }

    private static WeightTensors Sample(VerificationFormat format, Random random)
    {
        long k = format.FitInFeatures(random.Next(1, 200));
        int groupSize = format.HasGroupSize() ? format.FitGroupSize(random.Next(2) == 0 ? 32 : 64) : 32;
        return WeightSamples.Create(
            new VerificationCase
            {
                Op = VerificationOp.Pack,
                DType = DType.Float32,
                Format = format,
                OutFeatures = format.FitOutFeatures(random.Next(1, 20)),
                InFeatures = k,
                GroupSize = groupSize,
                OuterGroupSize = format.IsNested() ? random.Next(1, 5) : 0,
                CustomMap = format.HasTable() && random.Next(2) == 0,
                ScaleDType = (DType)random.Next(3),
                Seed = random.Next(),
            },
            random);
    }

    // One change, rarely two; every tenth sample as it is.
    private static WeightTensors Mutate(WeightTensors tensors, Random random)
    {
        for (int changes = Math.Max(0, random.Next(-1, 10) switch { -1 => 0, 9 => 2, _ => 1 }); changes > 0; changes--)
            tensors = Change(tensors, random);
        return tensors;
    }

    private static WeightTensors Change(WeightTensors t, Random random)
    {
        long extent = Extents[random.Next(Extents.Length)];
        float number = BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
        int what = random.Next(16);
        ReadOnlyMemory<byte> Part(int index, ReadOnlyMemory<byte> bytes) => what == index ? Damaged(bytes, random) : bytes;
        return new WeightTensors
        {
            Format = what == 0 ? (WeightFormat)random.Next(-1, 22) : t.Format,
            OutFeatures = what == 1 ? extent : t.OutFeatures,
            InFeatures = what == 2 ? extent : t.InFeatures,
            GroupSize = what == 3 ? extent : t.GroupSize,
            OuterGroupSize = what == 4 ? extent : t.OuterGroupSize,
            OuterOffset = what == 5 ? number : t.OuterOffset,
            TensorScale = what == 6 ? number : t.TensorScale,
            TensorScaleDivides = what == 7 ? !t.TensorScaleDivides : t.TensorScaleDivides,
            ScaleDType = what == 8 ? (DType)random.Next(-1, 5) : t.ScaleDType,
            Codes = Part(9, t.Codes),
            Scales = Part(10, t.Scales),
            ZeroPoints = Part(11, t.ZeroPoints),
            GroupIndex = Part(12, t.GroupIndex),
            Table = Part(13, t.Table),
            OuterTable = Part(14, t.OuterTable),
            OuterScales = Part(15, t.OuterScales),
        };
    }

    // Of another size, or with other contents.
    private static ReadOnlyMemory<byte> Damaged(ReadOnlyMemory<byte> bytes, Random random)
    {
        if (random.Next(3) == 0) return ByteMutations.Mutate(random, bytes.ToArray());
        byte[] noise = bytes.ToArray();
        if (noise.Length > 0) random.NextBytes(noise.AsSpan(random.Next(noise.Length)));
        return noise;
    }
}
