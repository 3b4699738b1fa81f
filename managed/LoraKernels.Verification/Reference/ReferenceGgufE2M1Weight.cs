namespace LoraKernels.Verification.Reference;

/// <summary>
/// GGUF MXFP4 and NVFP4, as ggml computes them. MXFP4: blocks of 32 in 17 bytes, <c>W = 2^(e - 128) * V[q]</c>; byte
/// <c>j</c> holds element <c>j</c> in its low nibble, <c>j + 16</c> in its high one. NVFP4: blocks of 64 in 36 bytes, four
/// scales, then 8 bytes for each group of 16, whose byte <c>j</c> holds elements <c>j</c> and <c>j + 8</c>;
/// <c>W = V[q] / 2 * (E4M3(scale) * tensorScale)</c>. V is twice E2M1.
/// </summary>
public sealed class ReferenceGgufE2M1Weight : ReferenceWeight
{
    private static readonly int[] Doubled = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

    private readonly byte[] _blocks;
    private readonly float? _tensorScale;

    /// <param name="outFeatures">N.</param>
    /// <param name="inFeatures">K, a multiple of 32, or of 64.</param>
    /// <param name="blocks">The blocks.</param>
    /// <param name="tensorScale">NVFP4's; null: MXFP4.</param>
    public ReferenceGgufE2M1Weight(long outFeatures, long inFeatures, byte[] blocks, float? tensorScale)
        : base(outFeatures, inFeatures)
    {
        ArgumentNullException.ThrowIfNull(blocks);
        long expected = tensorScale is null ? outFeatures * (inFeatures / 32) * 17 : outFeatures * (inFeatures / 64) * 36;
        CheckLength(nameof(blocks), blocks.LongLength, expected);
        _blocks = blocks;
        _tensorScale = tensorScale;
    }

    /// <inheritdoc/>
    public override void DecodeRow(long row, Span<float> destination)
    {
        for (int k = 0; k < destination.Length; k++)
            destination[k] = _tensorScale is float scale ? Nvfp4(row, k, scale) : Mxfp4(row, k);
    }

    private float Mxfp4(long row, int k)
    {
        long block = (row * (InFeatures / 32) + k / 32) * 17;
        byte pair = _blocks[block + 1 + k % 16];
        int code = k % 32 < 16 ? pair & 15 : pair >> 4;
        // Exact, so that the order does not matter: the minus of a zero is kept.
        return Signed(MathF.ScaleB(1, _blocks[block] - 128) * Math.Abs(Doubled[code]), code);
    }

    private float Nvfp4(long row, int k, float tensorScale)
    {
        long block = (row * (InFeatures / 64) + k / 64) * 36;
        int group = k % 64 / 16;
        byte pair = _blocks[block + 4 + group * 8 + k % 8];
        int code = k % 16 < 8 ? pair & 15 : pair >> 4;
        float scale = ReferenceE2M1Weight.DecodeE4M3([_blocks[block + group]], tensorScale, divides: false)[0];
        return Signed(Math.Abs(Doubled[code]) / 2f * scale, code);
    }

    private static float Signed(float magnitude, int code) => code < 8 ? magnitude : -magnitude;
}
