namespace LoraKernels.Native;

/// <summary>
/// What an adapter's updates multiply the columns of the output by. Weights are dequantized one at a time, once each.
/// </summary>
internal static class ColumnScales
{
    /// <summary>One vector an update, or null where it multiplies nothing.</summary>
    /// <exception cref="AdapterMismatchException">Norms that are 0 or not finite.</exception>
    public static HostMatrix?[] Of(
        string adapter, IReadOnlyList<FittedUpdate> updates, ModuleNames names, AdapterOptions options, DeviceStream stream)
    {
        var scales = new HostMatrix?[updates.Count];
        var mismatches = new List<string>();
        foreach (var ofModule in Enumerable.Range(0, scales.Length).GroupBy(i => updates[i].Part.Module))
        {
            float[]? weight = null;
            foreach (int i in ofModule)
            {
                (LoraFactors factors, ModulePart part, long firstRow) = updates[i];
                if (factors.ReplacesBase)
                {
                    var values = new float[part.OutFeatures];
                    Array.Fill(values, 1 / SavedModule.ReplacingScale);
                    scales[i] = HostMatrix.From(values, 1, part.OutFeatures);
                    continue;
                }
                if (factors.Magnitude is null)
                    continue;
                // What lies on another device has streams of its own.
                QuantizedWeight given = options.BaseWeight!(names.ModuleOf(part).Name)!;
                weight ??= Dora.Dequantize(given, ReferenceEquals(given.Device, stream.Device) ? stream : null);
                try
                {
                    float[] norms = Dora.ColumnScales(weight, factors, names.FirstColumn(part), firstRow, part.OutFeatures);
                    scales[i] = HostMatrix.From(norms, 1, part.OutFeatures);
                }
                catch (ArgumentException e)
                {
                    mismatches.Add(e.Message);
                }
            }
        }
        return mismatches.Count == 0 ? scales : throw new AdapterMismatchException(adapter, mismatches);
    }
}
