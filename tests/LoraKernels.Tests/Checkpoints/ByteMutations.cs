using System.Buffers.Binary;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Random damage to a file, the same for the same seed.</summary>
internal static class ByteMutations
{
    private static readonly ulong[] Interesting =
    [
        0, 1, 2, 3, 7, 8, 12, 31, 32, 33, 63, 255, 256, 4096, 65535, 65536, int.MaxValue, 1UL << 31, uint.MaxValue, 1UL << 32,
        1UL << 40, 1UL << 60, 1UL << 61, 1UL << 62, long.MaxValue, 1UL << 63, ulong.MaxValue - 31, ulong.MaxValue,
    ];

    /// <summary>A number that parsers stumble over: a power of two and its neighbours, the file's size, or anything.</summary>
    public static ulong Number(Random random, int fileLength) => random.Next(4) switch
    {
        0 => (ulong)Math.Max(0, fileLength + random.Next(-40, 3)),
        1 => (ulong)random.NextInt64(),
        _ => Interesting[random.Next(Interesting.Length)],
    };

    /// <summary>One to three kinds of damage.</summary>
    public static byte[] Mutate(Random random, byte[] original)
    {
        byte[] bytes = [.. original];
        for (int i = Math.Max(1, random.Next(-2, 4)); i > 0; i--) bytes = Damage(random, bytes);
        return bytes;
    }

    /// <summary>Overwrites one of a file's numeric fields.</summary>
    public static byte[] MutateField(Random random, byte[] original, IReadOnlyList<(int Position, int Size)> fields)
    {
        byte[] bytes = [.. original];
        Span<byte> number = stackalloc byte[8];
        for (int i = random.Next(1, 3); i > 0; i--)
        {
            var (position, size) = fields[random.Next(fields.Count)];
            BinaryPrimitives.WriteUInt64LittleEndian(number, Number(random, bytes.Length));
            number[..size].CopyTo(bytes.AsSpan(position));
        }
        return bytes;
    }

    private static byte[] Damage(Random random, byte[] bytes)
    {
        int length = bytes.Length;
        int at = random.Next(length + 1);
        int count = Math.Min(random.Next(1, 64), length - at);
        byte[] noise = new byte[random.Next(1, 64)];
        random.NextBytes(noise);
        switch (random.Next(9))
        {
            case 0: // truncated
                return bytes[..at];
            case 1: // more at the end
                return [.. bytes, .. noise];
            case 2: // a piece missing
                return [.. bytes[..at], .. bytes[(at + count)..]];
            case 3: // a piece twice
                return [.. bytes[..(at + count)], .. bytes[at..]];
            case 4: // a piece more
                return [.. bytes[..at], .. noise, .. bytes[at..]];
            case 5: // a piece wiped
                bytes.AsSpan(at, count).Clear();
                return bytes;
            case 6: // a number
                Span<byte> number = stackalloc byte[8];
                BinaryPrimitives.WriteUInt64LittleEndian(number, Number(random, length));
                number[..Math.Min(random.Next(2) * 4 + 4, length - at)].CopyTo(bytes.AsSpan(at));
                return bytes;
            case 7: // a byte
                if (at < length) bytes[at] = (byte)random.Next(256);
                return bytes;
            default: // bits
                for (int i = random.Next(1, 9); i > 0 && length > 0; i--)
                    bytes[random.Next(length)] ^= (byte)(1 << random.Next(8));
                return bytes;
        }
    }
}
