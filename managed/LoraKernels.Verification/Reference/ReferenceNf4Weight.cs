namespace LoraKernels.Verification.Reference;

/// <summary>
/// bitsandbytes NF4: <c>W[i] = map[q(i)] * absmax[i / groupSize]</c> with the flat index <c>i = n * K + k</c>, even
/// <c>i</c> in the high nibble, absmax plain or nested.
/// </summary>
public sealed class ReferenceNf4Weight : ReferenceWeight
{
    private static readonly uint[] MapBits =
    [
        0xBF800000, 0xBF3239B1, 0xBF066B30, 0xBECA32A0, 0xBE91A24D, 0xBE3D353F, 0xBDBA7871, 0x00000000,
        0x3DA2FAFF, 0x3E24CAE3, 0x3E7C04DD, 0x3EAD033A, 0x3EE1A4B8, 0x3F1007AB, 0x3F3913B3, 0x3F800000,
    ];

    private readonly byte[] _codes;
    private readonly float[] _absmax;
    private readonly float[] _map;
    private readonly long _groupSize;

    /// <param name="outFeatures">N.</param>
    /// <param name="inFeatures">K.</param>
    /// <param name="groupSize">Weights per absmax.</param>
    /// <param name="codes">[ceil(N * K / 2)].</param>
    /// <param name="absmax">[ceil(N * K / groupSize)].</param>
    /// <param name="map">[16]; null for the standard map.</param>
    public ReferenceNf4Weight(
        long outFeatures, long inFeatures, long groupSize, byte[] codes, float[] absmax, float[]? map = null)
        : base(outFeatures, inFeatures)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(groupSize);
        ArgumentNullException.ThrowIfNull(codes);
        ArgumentNullException.ThrowIfNull(absmax);
        CheckLength(nameof(codes), codes.LongLength, (outFeatures * inFeatures + 1) / 2);
        CheckLength(nameof(absmax), absmax.LongLength, GroupCount(outFeatures * inFeatures, groupSize));
        CheckLength(nameof(map), map?.LongLength ?? 16, 16);
        _codes = codes;
        _absmax = absmax;
        _map = map ?? StandardMap();
        _groupSize = groupSize;
    }

    /// <summary>The 16 values of NF4, ascending.</summary>
    public static float[] StandardMap() => Array.ConvertAll(MapBits, BitConverter.UInt32BitsToSingle);

    /// <summary>ceil(<paramref name="count"/> / <paramref name="groupSize"/>).</summary>
    public static long GroupCount(long count, long groupSize) => (count + groupSize - 1) / groupSize;

    /// <summary>Double quantization undone: <c>map[code] * scale + offset</c>, rounded to fp32 after each step.</summary>
    /// <param name="codes">[groups].</param>
    /// <param name="map">[256].</param>
    /// <param name="scales">[ceil(groups / groupSize)].</param>
    /// <param name="offset">Added to every absmax.</param>
    /// <param name="groupSize">Groups per scale.</param>
    public static float[] DecodeNestedAbsmax(
        byte[] codes, float[] map, float[] scales, float offset, long groupSize)
    {
        ArgumentNullException.ThrowIfNull(codes);
        ArgumentNullException.ThrowIfNull(map);
        ArgumentNullException.ThrowIfNull(scales);
        CheckLength(nameof(map), map.LongLength, 256);
        CheckLength(nameof(scales), scales.LongLength, GroupCount(codes.LongLength, groupSize));
        var absmax = new float[codes.Length];
        for (int group = 0; group < codes.Length; group++)
        {
            float product = map[codes[group]] * scales[group / groupSize];
            absmax[group] = product + offset;
        }

        return absmax;
    }

    /// <inheritdoc/>
    public override void DecodeRow(long row, Span<float> destination)
    {
        long first = row * InFeatures;
        for (int k = 0; k < destination.Length; k++)
        {
            long i = first + k;
            byte pair = _codes[i / 2];
            int code = i % 2 == 0 ? pair >> 4 : pair & 15;
            destination[k] = _map[code] * _absmax[i / _groupSize];
        }
    }
}
