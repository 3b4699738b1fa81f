using System.Runtime.InteropServices;
using NUnit.Framework;

namespace LoraKernels.Tests.Properties;

/// <summary>Equality of every bit, NaN included.</summary>
internal static class Bits
{
    public static void AssertSame<T>(ReadOnlySpan<T> actual, ReadOnlySpan<T> expected, string what)
        where T : unmanaged
    {
        Assert.That(actual.Length, Is.EqualTo(expected.Length), what);
        if (MemoryMarshal.AsBytes(actual).SequenceEqual(MemoryMarshal.AsBytes(expected)))
            return;
        for (int i = 0; i < actual.Length; i++)
        {
            if (!MemoryMarshal.AsBytes(actual.Slice(i, 1)).SequenceEqual(MemoryMarshal.AsBytes(expected.Slice(i, 1))))
                Assert.Fail($"{what}: element {i} is {actual[i]}, not {expected[i]}");
        }
    }

    public static ReadOnlySpan<T> Row<T>(T[] values, int row, int columns) => values.AsSpan(row * columns, columns);

    public static T[] Rows<T>(T[] values, int columns, params int[] rows) =>
        [.. rows.SelectMany(row => values.Skip(row * columns).Take(columns))];
}
