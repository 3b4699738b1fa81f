namespace LoraKernels.Verification.Reference;

/// <summary>
/// ONNX Runtime's MatMulNBits with 4 bits: <c>W[n, k] = (q - z) * scale[n, g]</c>. A row has G = ceil(K / blockSize)
/// blocks of blockSize / 2 bytes, the first of two codes in the low nibble, and ceil(G / 2) bytes of zero points.
/// </summary>
public sealed class ReferenceOnnxWeight : ReferenceWeight
{
    private readonly long _blockSize;
    private readonly long _blocks;
    private readonly byte[] _codes;
    private readonly float[] _scales;
    private readonly byte[]? _zeroPoints;
    private readonly float[]? _floatZeros;
    private readonly int[]? _groupIndex;

    /// <param name="outFeatures">N.</param>
    /// <param name="inFeatures">K.</param>
    /// <param name="blockSize">Weights per scale.</param>
    /// <param name="codes">[N, G, blockSize / 2].</param>
    /// <param name="scales">[N, G].</param>
    /// <param name="zeroPoints">[N, ceil(G / 2)]; null: 8, or as numbers.</param>
    /// <param name="floatZeros">[N, G]; or null.</param>
    /// <param name="groupIndex">[K]; or null.</param>
    public ReferenceOnnxWeight(
        long outFeatures, long inFeatures, long blockSize, byte[] codes, float[] scales, byte[]? zeroPoints,
        float[]? floatZeros, int[]? groupIndex)
        : base(outFeatures, inFeatures)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(blockSize);
        ArgumentNullException.ThrowIfNull(codes);
        ArgumentNullException.ThrowIfNull(scales);
        _blocks = (inFeatures + blockSize - 1) / blockSize;
        CheckLength(nameof(codes), codes.LongLength, outFeatures * _blocks * (blockSize / 2));
        CheckLength(nameof(scales), scales.LongLength, outFeatures * _blocks);
        if (zeroPoints is not null)
            CheckLength(nameof(zeroPoints), zeroPoints.LongLength, outFeatures * ((_blocks + 1) / 2));
        if (floatZeros is not null)
            CheckLength(nameof(floatZeros), floatZeros.LongLength, outFeatures * _blocks);
        if (groupIndex is not null)
            CheckLength(nameof(groupIndex), groupIndex.LongLength, inFeatures);
        _blockSize = blockSize;
        _codes = codes;
        _scales = scales;
        _zeroPoints = zeroPoints;
        _floatZeros = floatZeros;
        _groupIndex = groupIndex;
    }

    /// <inheritdoc/>
    public override void DecodeRow(long row, Span<float> destination)
    {
        for (int k = 0; k < destination.Length; k++)
        {
            long group = _groupIndex is null ? k / _blockSize : _groupIndex[k];
            byte pair = _codes[row * _blocks * (_blockSize / 2) + k / 2];
            int code = k % 2 == 0 ? pair & 15 : pair >> 4;
            float centred = code - Zero(row, group);
            destination[k] = centred * _scales[row * _blocks + group];
        }
    }

    private float Zero(long row, long group)
    {
        if (_floatZeros is not null)
            return _floatZeros[row * _blocks + group];
        if (_zeroPoints is null)
            return 8;
        byte pair = _zeroPoints[row * ((_blocks + 1) / 2) + group / 2];
        return group % 2 == 0 ? pair & 15 : pair >> 4;
    }
}
