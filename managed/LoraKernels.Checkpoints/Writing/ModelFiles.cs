using System.Text.Json;
using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints.Writing;

/// <summary>The files of a model's folder beside its weights.</summary>
internal static class ModelFiles
{
    private const string ConfigName = "config.json";
    private const long MaxConfigBytes = 16 << 20;

    /// <summary>Files with weights, in whatever form, and indexes of them.</summary>
    private static readonly string[] WeightEndings =
        [".safetensors", ".gguf", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".index.json", ".tmp"];

    /// <summary>Copies tokenizer, templates, licences and whatever else lies in a folder, but for weights and config.</summary>
    public static void CopyOthers(string from, string to, CancellationToken cancellation)
    {
        foreach (string path in Directory.EnumerateFiles(from).Order(StringComparer.Ordinal))
        {
            cancellation.ThrowIfCancellationRequested();
            string name = Path.GetFileName(path);
            if (name == ConfigName || WeightEndings.Any(e => name.EndsWith(e, StringComparison.OrdinalIgnoreCase))) continue;
            if (FolderFiles.Find(from, name) is { } file) File.Copy(file, Path.Combine(to, name));
        }
    }

    /// <summary>Writes <c>config.json</c> anew: all that it says, and how the weights are quantized.</summary>
    public static void WriteConfig(string from, string to, Action<Utf8JsonWriter> writeQuantization)
    {
        AtomicFile.Write(Path.Combine(to, ConfigName), stream =>
        {
            using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
            json.WriteStartObject();
            if (FolderFiles.Find(from, ConfigName) is { } path)
            {
                using var config = JsonFile.Read(path, MaxConfigBytes);
                foreach (var property in config.RootElement.EnumerateObject())
                {
                    if (property.Name is not ("quantization_config" or "compression_config")) property.WriteTo(json);
                }
            }
            json.WritePropertyName("quantization_config");
            writeQuantization(json);
            json.WriteEndObject();
        });
    }

    /// <summary>Writes which shard has which tensor.</summary>
    /// <param name="folder">Of the shards.</param>
    /// <param name="shards">Names of the files, and what is in them.</param>
    public static void WriteIndex(string folder, IReadOnlyList<(string File, IReadOnlyList<SafetensorsEntry> Tensors)> shards)
    {
        AtomicFile.Write(Path.Combine(folder, SafetensorsSource.IndexName), stream =>
        {
            using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_size", shards.Sum(s => s.Tensors.Sum(t => t.Bytes)));
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            foreach (var (tensor, file) in shards.SelectMany(s => s.Tensors.Select(t => (t.Name, s.File)))
                .OrderBy(t => t.Name, StringComparer.Ordinal))
            {
                json.WriteString(tensor, file);
            }
            json.WriteEndObject();
            json.WriteEndObject();
        });
    }
}
