using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;

namespace LoraKernels;

/// <summary>
/// The upper 16 bits of a <see cref="float"/>: 1 sign, 8 exponent and 7 fraction bits. Storage only: compute in
/// <see cref="float"/>.
/// </summary>
/// <remarks>
/// As with <see cref="Half"/>, the operators compare as IEEE 754 says (NaN is unequal to everything), while
/// <see cref="Equals(BFloat16)"/> and <see cref="CompareTo(BFloat16)"/> take NaN for equal to NaN and less than
/// anything else.
/// </remarks>
public readonly struct BFloat16
    : IEquatable<BFloat16>, IComparable<BFloat16>, IComparable, ISpanFormattable,
      IComparisonOperators<BFloat16, BFloat16, bool>
{
    private const ushort QuietBit = 0x0040;

    private BFloat16(ushort bits) => Bits = bits;

    /// <summary>The bits: sign, exponent, fraction, from the highest down.</summary>
    public ushort Bits { get; }

    /// <summary>The smallest positive value, 2⁻¹³³ (subnormal).</summary>
    public static BFloat16 Epsilon => new(0x0001);

    /// <summary>The largest finite value, about 3.39e38.</summary>
    public static BFloat16 MaxValue => new(0x7F7F);

    /// <summary>The smallest finite value, about -3.39e38.</summary>
    public static BFloat16 MinValue => new(0xFF7F);

    /// <summary>A quiet NaN.</summary>
    public static BFloat16 NaN => new(0x7FC0);

    /// <summary>Positive infinity.</summary>
    public static BFloat16 PositiveInfinity => new(0x7F80);

    /// <summary>Negative infinity.</summary>
    public static BFloat16 NegativeInfinity => new(0xFF80);

    /// <summary>The value with the given bits.</summary>
    /// <param name="bits">Sign, exponent, fraction, from the highest down.</param>
    public static BFloat16 FromBits(ushort bits) => new(bits);

    /// <summary>Whether a value is NaN.</summary>
    /// <param name="value">Any value.</param>
    public static bool IsNaN(BFloat16 value) => (value.Bits & 0x7FFF) > 0x7F80;

    /// <summary>Whether a value is neither NaN nor an infinity.</summary>
    /// <param name="value">Any value.</param>
    public static bool IsFinite(BFloat16 value) => (value.Bits & 0x7F80) != 0x7F80;

    /// <summary>
    /// Rounds to the nearest value, ties to the even one; beyond <see cref="MaxValue"/> to an infinity. Subnormals are
    /// kept; a NaN keeps its sign and the upper bits of its payload and becomes quiet.
    /// </summary>
    /// <param name="value">Any value.</param>
    public static explicit operator BFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint upper = bits >> 16;
        if (float.IsNaN(value))
            return new BFloat16((ushort)(upper | QuietBit));
        // Adds just under half a unit, and the last kept bit: a tie carries exactly when that bit is odd.
        return new BFloat16((ushort)((bits + 0x7FFF + (upper & 1)) >> 16));
    }

    /// <summary>The same value as a <see cref="float"/>; exact.</summary>
    /// <param name="value">Any value.</param>
    public static explicit operator float(BFloat16 value) => BitConverter.UInt32BitsToSingle((uint)value.Bits << 16);

    /// <summary>IEEE equality: NaN is unequal to everything, the two zeros are equal.</summary>
    /// <param name="left">Any value.</param>
    /// <param name="right">Any value.</param>
    public static bool operator ==(BFloat16 left, BFloat16 right) => (float)left == (float)right;

    /// <summary>IEEE inequality.</summary>
    /// <param name="left">Any value.</param>
    /// <param name="right">Any value.</param>
    public static bool operator !=(BFloat16 left, BFloat16 right) => (float)left != (float)right;

    /// <summary>IEEE order: false where either is NaN.</summary>
    /// <param name="left">Any value.</param>
    /// <param name="right">Any value.</param>
    public static bool operator <(BFloat16 left, BFloat16 right) => (float)left < (float)right;

    /// <summary>IEEE order: false where either is NaN.</summary>
    /// <param name="left">Any value.</param>
    /// <param name="right">Any value.</param>
    public static bool operator >(BFloat16 left, BFloat16 right) => (float)left > (float)right;

    /// <summary>IEEE order: false where either is NaN.</summary>
    /// <param name="left">Any value.</param>
    /// <param name="right">Any value.</param>
    public static bool operator <=(BFloat16 left, BFloat16 right) => (float)left <= (float)right;

    /// <summary>IEEE order: false where either is NaN.</summary>
    /// <param name="left">Any value.</param>
    /// <param name="right">Any value.</param>
    public static bool operator >=(BFloat16 left, BFloat16 right) => (float)left >= (float)right;

    /// <inheritdoc/>
    public bool Equals(BFloat16 other) => ((float)this).Equals((float)other);

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is BFloat16 other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => ((float)this).GetHashCode();

    /// <inheritdoc/>
    public int CompareTo(BFloat16 other) => ((float)this).CompareTo((float)other);

    /// <inheritdoc/>
    public int CompareTo(object? obj) => obj switch
    {
        null => 1,
        BFloat16 other => CompareTo(other),
        _ => throw new ArgumentException($"obj is a {obj.GetType()}; a BFloat16 is needed", nameof(obj)),
    };

    /// <summary>The value in the current culture's notation.</summary>
    public override string ToString() => ToString(null, CultureInfo.CurrentCulture);

    /// <inheritdoc/>
    public string ToString(string? format, IFormatProvider? formatProvider) =>
        ((float)this).ToString(format, formatProvider);

    /// <inheritdoc/>
    public bool TryFormat(
        Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        ((float)this).TryFormat(destination, out charsWritten, format, provider);
}
