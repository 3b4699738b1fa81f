// What a user of the packages writes first: everything here comes through package references.
using LoraKernels;
using LoraKernels.Checkpoints;

using var device = Device.OpenCpu();

// W[n, k] = n + 1: every group has one magnitude, which plain NF4 holds exactly.
const int OutFeatures = 3;
const int InFeatures = 64;
var values = new float[OutFeatures * InFeatures];
for (int i = 0; i < values.Length; i++)
    values[i] = (i / InFeatures) + 1;

using var w = device.Upload<float>(values, OutFeatures, InFeatures);
using var weight = QuantizedWeight.Quantize(w, QuantizeOptions.Nf4(nested: false));

var ones = new float[InFeatures];
Array.Fill(ones, 1f);
using var x = device.Upload<float>(ones, 1, InFeatures);
using var y = device.Allocate<float>(1, OutFeatures);
new Linear(weight).Forward(x, y);

Console.WriteLine($"device {device.Info.Kind}");
Console.WriteLine($"y {string.Join(' ', y.ToArray())}");

// The checkpoints package brings its exception, which names file and reason, and its readers.
string missing = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString("N"), "missing.safetensors");
try
{
    using var file = SafetensorsFile.Open(missing);
}
catch (Exception error) when (error.Message.Contains(missing, StringComparison.Ordinal))
{
    Console.WriteLine("checkpoints ok");
}
