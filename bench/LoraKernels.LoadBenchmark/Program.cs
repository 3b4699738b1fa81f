// Loading beside a plain read of the same file: dotnet run -c Release --project bench/LoraKernels.LoadBenchmark
//   [--folder FOLDER] [--gb 4] [--rounds 5] [--kinds nf4,gptq,gguf] [--device cpu] [--out FILE.md]
// Writes checkpoints of random contents (once; they are kept), then reads and loads each of them in turn.
using System.Globalization;
using LoraKernels;
using LoraKernels.LoadBenchmark;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var options = Enumerable.Range(0, args.Length / 2).ToDictionary(i => args[2 * i], i => args[2 * i + 1]);
string folder = options.GetValueOrDefault("--folder", Path.Combine(Path.GetTempPath(), "lorakernels-loading"));
double gigabytes = double.Parse(options.GetValueOrDefault("--gb", "4"), CultureInfo.InvariantCulture);
int rounds = int.Parse(options.GetValueOrDefault("--rounds", "5"), CultureInfo.InvariantCulture);
string[] kinds = options.GetValueOrDefault("--kinds", string.Join(',', SyntheticCheckpoint.Kinds)).Split(',');

using var device = Device.Open(options.GetValueOrDefault("--device", "cpu"));
var report = new LoadReport(device);
foreach (string kind in kinds)
{
    string path = SyntheticCheckpoint.Write(folder, kind, (long)(gigabytes * 1e9));
    foreach (bool cold in PageCache.CanBeDropped ? (bool[])[true, false] : [false])
    {
        var measurement = await LoadMeasurement.RunAsync(path, kind, device, cold, rounds).ConfigureAwait(false);
        report.Add(measurement);
        Console.WriteLine(LoadReport.Line(measurement));
    }
}

if (options.TryGetValue("--out", out string? file))
    File.WriteAllText(file, report.ToString());
else
    Console.WriteLine(report);
