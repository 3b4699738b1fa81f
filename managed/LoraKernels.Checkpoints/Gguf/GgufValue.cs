using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace LoraKernels.Checkpoints;

/// <summary>The type of a GGUF metadata value; the numbers are the file's.</summary>
[SuppressMessage("Naming", "CA1720", Justification = "GGUF's own names of its types")]
public enum GgufValueType
{
    /// <summary><see cref="byte"/></summary>
    UInt8 = 0,
    /// <summary><see cref="sbyte"/></summary>
    Int8 = 1,
    /// <summary><see cref="ushort"/></summary>
    UInt16 = 2,
    /// <summary><see cref="short"/></summary>
    Int16 = 3,
    /// <summary><see cref="uint"/></summary>
    UInt32 = 4,
    /// <summary><see cref="int"/></summary>
    Int32 = 5,
    /// <summary><see cref="float"/></summary>
    Float32 = 6,
    /// <summary><see cref="bool"/></summary>
    Bool = 7,
    /// <summary><see cref="string"/></summary>
    Text = 8,
    /// <summary>An array of one of the types, arrays included.</summary>
    Array = 9,
    /// <summary><see cref="ulong"/></summary>
    UInt64 = 10,
    /// <summary><see cref="long"/></summary>
    Int64 = 11,
    /// <summary><see cref="double"/></summary>
    Float64 = 12,
}

/// <summary>One metadata value of a GGUF file.</summary>
public sealed class GgufValue
{
    internal GgufValue(GgufValueType type, GgufValueType? elementType, object value)
    {
        Type = type;
        ElementType = elementType;
        Value = value;
    }

    /// <summary>The value's type in the file.</summary>
    public GgufValueType Type { get; }

    /// <summary>The type of an array's elements; null when this is no array.</summary>
    public GgufValueType? ElementType { get; }

    /// <summary>
    /// The value as the .NET type that its <see cref="Type"/> names. An array is a .NET array of that type
    /// (<c>uint[]</c>, <c>string[]</c>), and an array of arrays a <c>GgufValue[]</c>.
    /// </summary>
    public object Value { get; }

    /// <summary>The string, or null when it is of another type.</summary>
    public string? AsText() => Value as string;

    /// <summary>The whole number, or null when it is of another type or does not fit.</summary>
    public long? AsInteger() => Value switch
    {
        byte v => v,
        sbyte v => v,
        ushort v => v,
        short v => v,
        uint v => v,
        int v => v,
        long v => v,
        ulong v when v <= long.MaxValue => (long)v,
        _ => null,
    };

    /// <summary>For people: the value, or what kind of array it is.</summary>
    public override string ToString() => Value is Array array
        ? $"{ElementType}[{array.Length}]"
        : Convert.ToString(Value, CultureInfo.InvariantCulture) ?? "";
}
