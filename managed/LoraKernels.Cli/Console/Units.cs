namespace LoraKernels.Cli;

/// <summary>Numbers as people read them.</summary>
internal static class Units
{
    /// <summary>Decimal units, three significant digits: "117 MB", "10.9 GB".</summary>
    public static string Bytes(double bytes) => bytes switch
    {
        < 1e3 => $"{bytes:F0} B",
        < 1e6 => $"{Significant(bytes / 1e3)} kB",
        < 1e9 => $"{Significant(bytes / 1e6)} MB",
        < 1e12 => $"{Significant(bytes / 1e9)} GB",
        _ => $"{Significant(bytes / 1e12)} TB",
    };

    /// <summary>"93.1 ms", "1.24 s".</summary>
    public static string Time(TimeSpan time) => time.TotalSeconds switch
    {
        < 1e-3 => $"{Significant(time.TotalMicroseconds)} us",
        < 1 => $"{Significant(time.TotalMilliseconds)} ms",
        _ => $"{Significant(time.TotalSeconds)} s",
    };

    /// <summary>"2.9e-04".</summary>
    public static string Error(double error) => error == 0 ? "0" : $"{error:0.0e+00}";

    /// <summary>"5.8x".</summary>
    public static string Ratio(double ratio) => $"{Significant(ratio)}x";

    /// <summary>"1 row", "25 rows".</summary>
    public static string Count(long count, string noun) => $"{count:N0} {noun}{(count == 1 ? "" : "s")}";

    /// <summary>Three significant digits, no exponent.</summary>
    public static string Significant(double value) => Math.Abs(value) switch
    {
        < 9.995 => $"{value:F2}",
        < 99.95 => $"{value:F1}",
        _ => $"{value:N0}",
    };
}
