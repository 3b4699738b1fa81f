using LoraKernels.Tests.Operations;
using LoraKernels.Tests.Properties;
using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.EmulatedTests;

/// <summary>
/// On a device opened as batch-invariant, rows whose K is cut into slices have the same bits alone and in every batch,
/// whichever tiles and waves of blocks that batch takes.
/// </summary>
[TestFixture]
public sealed class InvariantModeTests() : DeviceFixture("emulated", batchInvariant: true)
{
    private const int OutFeatures = 72;

    // Enough records that one token is cheapest in several slices of K; a multiple of every format's block.
    private const int InFeatures = 2304;

    private static readonly VerificationFormat[] Formats =
    [
        VerificationFormat.Nf4, VerificationFormat.Nf4Nested, VerificationFormat.Int4ZeroPoints,
        VerificationFormat.Int4ActOrder, VerificationFormat.Mxfp4, VerificationFormat.Nvfp4, VerificationFormat.GgufQ4K,
    ];

    // Around the tiles of tokens, and more than the largest: the larger ones are for one type of every format, in turn.
    private static readonly int[] FewRows = [8, 9];
    private static readonly int[] ManyRows = [64, 65, 300];

    [TestCaseSource(nameof(Formats))]
    public void HalfRowsHaveTheSameBitsInEveryBatch(VerificationFormat format) => RowsAreTheSameInEveryBatch<Half>(format, 0);

    [TestCaseSource(nameof(Formats))]
    public void BFloat16RowsHaveTheSameBitsInEveryBatch(VerificationFormat format) =>
        RowsAreTheSameInEveryBatch<BFloat16>(format, 1);

    [TestCaseSource(nameof(Formats))]
    public void FloatRowsHaveTheSameBitsInEveryBatch(VerificationFormat format) =>
        RowsAreTheSameInEveryBatch<float>(format, 2);

    private void RowsAreTheSameInEveryBatch<T>(VerificationFormat format, int turn)
        where T : unmanaged
    {
        int[] counts = Array.IndexOf(Formats, format) % 3 == turn ? [.. FewRows, .. ManyRows] : FewRows;
        using var rig = new LinearRig<T>(Device, OutFeatures, InFeatures, format, groupSize: 128);
        var random = new Random(5);
        // One row of each kind of plan: none, one, several and repeated adapters of mixed ranks.
        (int, float)[][] plans = LinearRig<T>.MixedPlan(5);
        T[] x = rig.X(plans.Length);
        foreach (bool withAdapters in (bool[])[true, false])
        {
            var alone = new T[plans.Length][];
            for (int row = 0; row < plans.Length; row++)
                alone[row] = Forward(rig, Bits.Rows(x, InFeatures, row), [plans[row]], withAdapters);

            foreach (int count in counts)
            {
                T[] batch = rig.X(count, seed: count);
                (int, float)[][] plan = LinearRig<T>.MixedPlan(count);
                random.Shuffle(plan);
                int[] places = [.. Enumerable.Range(0, count)];
                random.Shuffle(places);
                for (int row = 0; row < plans.Length; row++)
                {
                    Bits.Row(x, row, InFeatures).CopyTo(batch.AsSpan(places[row] * InFeatures));
                    plan[places[row]] = plans[row];
                }

                T[] y = Forward(rig, batch, plan, withAdapters);
                for (int row = 0; row < plans.Length; row++)
                {
                    Bits.AssertSame(
                        Bits.Row(y, places[row], OutFeatures), alone[row],
                        $"row {row} as number {places[row]} of {count}, adapters: {withAdapters}");
                }
            }
        }
    }

    private static T[] Forward<T>(LinearRig<T> rig, T[] x, (int, float)[][] plan, bool withAdapters)
        where T : unmanaged
    {
        if (withAdapters)
            return rig.Forward(x, plan);
        using DeviceTensor<T> input = rig.Device.Upload<T>(x, plan.Length, rig.InFeatures);
        using DeviceTensor<T> output = rig.Device.Allocate<T>(plan.Length, rig.OutFeatures);
        rig.Linear.Forward(input, output);
        return output.ToArray();
    }
}
