namespace LoraKernels.Verification;

/// <summary>Random numbers from a seed.</summary>
internal static class Samples
{
    /// <summary>Uniform in (-magnitude, magnitude).</summary>
    public static float[] Uniform(Random random, long count, float magnitude = 1)
    {
        var values = new float[count];
        for (int i = 0; i < values.Length; i++)
            values[i] = magnitude * (2 * random.NextSingle() - 1);
        return values;
    }

    /// <summary>The same, as the type stores them.</summary>
    public static T[] Uniform<T>(Random random, long count, float magnitude = 1)
        where T : unmanaged => Elements.FromFloats<T>(Uniform(random, count, magnitude));
}
