namespace LoraKernels.Verification.Reference;

/// <summary>
/// GGUF's types of other widths than 4 bits, and its plain numbers, decoded a block at a time in the order in which ggml's
/// <c>dequantize_row_*</c> goes through it.
/// </summary>
public sealed class ReferenceGgufMixedWeight : ReferenceWeight
{
    private static readonly float[] Iq4Values = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    private readonly ReferenceGgufMixedType _type;
    private readonly byte[] _blocks;

    /// <param name="outFeatures">N.</param>
    /// <param name="inFeatures">K, whole blocks.</param>
    /// <param name="blocks">Row by row.</param>
    /// <param name="type">What blocks hold.</param>
    public ReferenceGgufMixedWeight(long outFeatures, long inFeatures, byte[] blocks, ReferenceGgufMixedType type)
        : base(outFeatures, inFeatures)
    {
        ArgumentNullException.ThrowIfNull(blocks);
        (int size, int bytes) = Block(type);
        if (inFeatures % size != 0)
            throw new ArgumentException($"{inFeatures} is not a multiple of {size}.", nameof(inFeatures));
        CheckLength(nameof(blocks), blocks.LongLength, outFeatures * (inFeatures / size) * bytes);
        _type = type;
        _blocks = blocks;
    }

    /// <summary>Weights and bytes of a block.</summary>
    public static (int Size, int Bytes) Block(ReferenceGgufMixedType type) => type switch
    {
        ReferenceGgufMixedType.F32 => (1, 4),
        ReferenceGgufMixedType.F16 or ReferenceGgufMixedType.BF16 => (1, 2),
        ReferenceGgufMixedType.Q50 => (32, 22),
        ReferenceGgufMixedType.Q51 => (32, 24),
        ReferenceGgufMixedType.Q80 => (32, 34),
        ReferenceGgufMixedType.Q2K => (256, 84),
        ReferenceGgufMixedType.Q3K => (256, 110),
        ReferenceGgufMixedType.Q5K => (256, 176),
        ReferenceGgufMixedType.Q6K => (256, 210),
        _ => (256, 136),
    };

    /// <inheritdoc/>
    public override void DecodeRow(long row, Span<float> destination)
    {
        (int size, int bytes) = Block(_type);
        for (int first = 0; first < destination.Length; first += size)
        {
            long block = (row * InFeatures + first) / size * bytes;
            DecodeBlock(_blocks.AsSpan((int)block, bytes), destination.Slice(first, size));
        }
    }

    private void DecodeBlock(ReadOnlySpan<byte> block, Span<float> y)
    {
        switch (_type)
        {
            case ReferenceGgufMixedType.F32:
                y[0] = BitConverter.ToSingle(block);
                break;
            case ReferenceGgufMixedType.F16:
                y[0] = Half(block, 0);
                break;
            case ReferenceGgufMixedType.BF16:
                y[0] = ReferenceRounding.FromBFloat16Bits(BitConverter.ToUInt16(block));
                break;
            case ReferenceGgufMixedType.Q50:
                FiveBits(block, y, codes: 6, minimum: null);
                break;
            case ReferenceGgufMixedType.Q51:
                FiveBits(block, y, codes: 8, minimum: Half(block, 2));
                break;
            case ReferenceGgufMixedType.Q80:
                for (int j = 0; j < 32; j++)
                    y[j] = (sbyte)block[2 + j] * Half(block, 0);
                break;
            case ReferenceGgufMixedType.Q2K:
                TwoBits(block, y);
                break;
            case ReferenceGgufMixedType.Q3K:
                ThreeBits(block, y);
                break;
            case ReferenceGgufMixedType.Q5K:
                FiveBitsInGroups(block, y);
                break;
            case ReferenceGgufMixedType.Q6K:
                SixBits(block, y);
                break;
            default:
                TableInGroups(block, y);
                break;
        }
    }

    private static void FiveBits(ReadOnlySpan<byte> block, Span<float> y, int codes, float? minimum)
    {
        float d = Half(block, 0);
        uint high = BitConverter.ToUInt32(block[(codes - 4)..]);
        for (int j = 0; j < 16; j++)
        {
            uint low = (block[codes + j] & 15u) | ((high >> j << 4) & 16);
            uint upper = ((uint)block[codes + j] >> 4) | ((high >> (j + 12)) & 16);
            y[j] = Value(low);
            y[j + 16] = Value(upper);
        }

        float Value(uint code)
        {
            if (minimum is not float m)
                return ((int)code - 16) * d;
            float product = code * d;
            return product + m;
        }
    }

    private static void TwoBits(ReadOnlySpan<byte> block, Span<float> y)
    {
        ReadOnlySpan<byte> scales = block[..16], codes = block[16..80];
        float d = Half(block, 80), dmin = Half(block, 82);
        int group = 0;
        for (int half = 0; half < 2; half++)
        {
            for (int shift = 0; shift < 8; shift += 2)
            {
                for (int part = 0; part < 2; part++, group++)
                {
                    float scale = d * (scales[group] & 15), minimum = dmin * (scales[group] >> 4);
                    for (int l = 0; l < 16; l++)
                    {
                        float product = scale * ((codes[half * 32 + part * 16 + l] >> shift) & 3);
                        y[group * 16 + l] = product - minimum;
                    }
                }
            }
        }
    }

    private static void ThreeBits(ReadOnlySpan<byte> block, Span<float> y)
    {
        const uint Nibbles = 0x0F0F0F0F, Pairs = 0x03030303;
        ReadOnlySpan<byte> mask = block[..32], codes = block[32..96];
        uint a = BitConverter.ToUInt32(block[96..]), b = BitConverter.ToUInt32(block[100..]), c = BitConverter.ToUInt32(block[104..]);
        uint[] words =
        [
            (a & Nibbles) | ((c & Pairs) << 4), (b & Nibbles) | (((c >> 2) & Pairs) << 4),
            ((a >> 4) & Nibbles) | (((c >> 4) & Pairs) << 4), ((b >> 4) & Nibbles) | (((c >> 6) & Pairs) << 4),
        ];
        float d = Half(block, 108);
        int group = 0;
        for (int half = 0, bit = 1; half < 2; half++)
        {
            for (int shift = 0; shift < 8; shift += 2, bit <<= 1)
            {
                for (int part = 0; part < 2; part++, group++)
                {
                    float scale = d * ((int)(words[group / 4] >> (group % 4 * 8) & 0xFF) - 32);
                    for (int l = part * 16; l < part * 16 + 16; l++)
                    {
                        int code = ((codes[half * 32 + l] >> shift) & 3) - ((mask[l] & bit) != 0 ? 0 : 4);
                        y[group * 16 + l % 16] = scale * code;
                    }
                }
            }
        }
    }

    private static void FiveBitsInGroups(ReadOnlySpan<byte> block, Span<float> y)
    {
        ReadOnlySpan<byte> bits = block[4..16], high = block[16..48], codes = block[48..];
        float d = Half(block, 0), dmin = Half(block, 2);
        for (int group = 0; group < 8; group++)
        {
            int scale = group < 4 ? bits[group] & 63 : (bits[group + 4] & 15) | ((bits[group - 4] >> 6) << 4);
            int minimum = group < 4 ? bits[group + 4] & 63 : (bits[group + 4] >> 4) | ((bits[group] >> 6) << 4);
            float groupScale = d * scale, groupMinimum = dmin * minimum;
            for (int l = 0; l < 32; l++)
            {
                byte pair = codes[group / 2 * 32 + l];
                int code = (group % 2 == 0 ? pair & 15 : pair >> 4) + ((high[l] & (1 << group)) != 0 ? 16 : 0);
                float product = groupScale * code;
                y[group * 32 + l] = product - groupMinimum;
            }
        }
    }

    private static void SixBits(ReadOnlySpan<byte> block, Span<float> y)
    {
        float d = Half(block, 208);
        for (int half = 0; half < 2; half++)
        {
            ReadOnlySpan<byte> low = block.Slice(half * 64, 64), high = block.Slice(128 + half * 32, 32);
            ReadOnlySpan<byte> scales = block.Slice(192 + half * 8, 8);
            for (int l = 0; l < 32; l++)
            {
                int[] codes =
                [
                    (low[l] & 15) | ((high[l] & 3) << 4), (low[l + 32] & 15) | (((high[l] >> 2) & 3) << 4),
                    (low[l] >> 4) | (((high[l] >> 4) & 3) << 4), (low[l + 32] >> 4) | ((high[l] >> 6) << 4),
                ];
                for (int quarter = 0; quarter < 4; quarter++)
                {
                    float scale = d * (sbyte)scales[2 * quarter + l / 16];
                    y[half * 128 + quarter * 32 + l] = scale * (codes[quarter] - 32);
                }
            }
        }
    }

    private static void TableInGroups(ReadOnlySpan<byte> block, Span<float> y)
    {
        float d = Half(block, 0);
        int high = BitConverter.ToUInt16(block[2..]);
        for (int group = 0; group < 8; group++)
        {
            int scale = ((block[4 + group / 2] >> (4 * (group % 2))) & 15) | (((high >> (2 * group)) & 3) << 4);
            float groupScale = d * (scale - 32);
            for (int j = 0; j < 16; j++)
            {
                byte pair = block[8 + group * 16 + j];
                y[group * 32 + j] = groupScale * Iq4Values[pair & 15];
                y[group * 32 + 16 + j] = groupScale * Iq4Values[pair >> 4];
            }
        }
    }

    private static float Half(ReadOnlySpan<byte> bytes, int offset) =>
        ReferenceRounding.FromFloat16Bits(BitConverter.ToUInt16(bytes[offset..]));
}
