namespace LoraKernels.Verification.Reference;

/// <summary>
/// The signed 8-bit dynamic map that bitsandbytes quantizes absmax with: seven decades 1e-6 ... 1, decade <c>i</c>
/// with 2^i positive values and as many negative ones, which are the midpoints of equal steps between 0.1 and 1 of the
/// decade, and besides them 0 and 1.
/// </summary>
public static class ReferenceDynamicMap
{
    private const int Decades = 7;

    /// <summary>The 256 values, ascending.</summary>
    public static float[] Create()
    {
        var values = new List<double> { 0, 1 };
        for (int decade = 0; decade < Decades; decade++)
        {
            int count = 1 << decade;
            double top = Math.Pow(10, decade - (Decades - 1));
            for (int i = 0; i < count; i++)
            {
                double midpoint = 0.1 + 0.9 * (i + 0.5) / count;
                values.Add(top * midpoint);
                values.Add(-top * midpoint);
            }
        }

        values.Sort();
        return values.ConvertAll(value => (float)value).ToArray();
    }

    /// <summary>Index of the entry of an ascending map that is nearest to a value; the lower one of two.</summary>
    public static int Nearest(ReadOnlySpan<float> map, float value)
    {
        int nearest = 0;
        for (int i = 1; i < map.Length; i++)
        {
            if (Math.Abs((double)value - map[i]) < Math.Abs((double)value - map[nearest]))
                nearest = i;
        }

        return nearest;
    }
}
