using System.Text.Json;
using System.Text.Json.Nodes;
using LoraKernels.Checkpoints;

namespace LoraKernels.Cli.Commands.Demo;

/// <summary>How one of the demo's adapters was "trained".</summary>
/// <param name="MlpRank">Rank of gate, up and down where a rank_pattern sets them apart; 0: as the others.</param>
internal sealed record AdapterRecipe(string Name, int Rank, float Alpha, DType DType, bool RsLora = false, int MlpRank = 0);

/// <summary>Writes 25 PEFT adapters of mixed ranks and types, each on all seven projections.</summary>
internal static class SyntheticAdapters
{
    private const ulong Seed = 0xADA97;

    // ‖update‖ / ‖base output‖: large enough that a row with the wrong adapter is far outside every error limit.
    private const double Effect = 0.2;

    private static readonly JsonSerializerOptions s_indented =
        new() { WriteIndented = true, TypeInfoResolver = CliJson.Default };

    private static readonly AdapterRecipe[] s_recipes =
    [
        new("customer-support", 16, 32, DType.Float16),
        new("wikisql", 8, 16, DType.BFloat16),
        new("dialogsum", 8, 16, DType.Float16),
        new("legal-summary", 32, 64, DType.BFloat16),
        new("medical-notes", 16, 16, DType.Float16, RsLora: true),
        new("french-english", 4, 8, DType.Float32),
        new("viggo", 8, 16, DType.Float16, MlpRank: 16),
        new("gsm8k", 64, 64, DType.BFloat16),
        new("tweet-sentiment", 4, 8, DType.Float16),
        new("news-topics", 4, 8, DType.Float32),
        new("code-review", 32, 32, DType.Float16, RsLora: true),
        new("conll-entities", 8, 16, DType.BFloat16),
        new("e2e-restaurants", 16, 32, DType.Float16),
        new("hate-speech", 4, 4, DType.BFloat16),
        new("contract-clauses", 16, 32, DType.BFloat16, MlpRank: 8),
        new("jigsaw-toxicity", 8, 8, DType.Float16),
        new("product-titles", 8, 16, DType.Float32),
        new("stack-exchange", 64, 16, DType.Float16, RsLora: true),
        new("boolq", 4, 8, DType.Float16),
        new("bash-commands", 16, 32, DType.BFloat16),
        new("covid-questions", 8, 16, DType.Float16),
        new("german-grammar", 12, 24, DType.BFloat16),
        new("magicoder", 32, 64, DType.Float16, MlpRank: 48),
        new("webnlg", 8, 32, DType.BFloat16),
        new("haiku", 2, 4, DType.Float16),
    ];

    /// <summary>Writes each adapter into a folder of its own.</summary>
    public static void Write(
        string folder, DecoderShape shape, Action<string, double> progress, CancellationToken cancellation)
    {
        int written = 0;
        ParallelOptions options = new() { CancellationToken = cancellation };
        Parallel.ForEach(s_recipes, options, recipe =>
        {
            string path = Path.Combine(folder, recipe.Name);
            PeftAdapter.Write(path, Create(recipe, shape, cancellation));
            if (recipe.RsLora)
                SayRsLora(path, recipe);
            int done = Interlocked.Increment(ref written);
            progress($"Writing adapter {recipe.Name}", (double)done / s_recipes.Length);
        });
    }

    // The writer states every scale by alpha / r; these adapters state theirs by alpha / sqrt(r), as trained with rsLoRA.
    private static void SayRsLora(string folder, AdapterRecipe recipe)
    {
        string path = Path.Combine(folder, "adapter_config.json");
        JsonObject config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config["use_rslora"] = true;
        config["lora_alpha"] = recipe.Alpha;
        File.WriteAllText(path, config.ToJsonString(s_indented));
    }

    private static LoraAdapter Create(AdapterRecipe recipe, DecoderShape shape, CancellationToken cancellation) => new(
        recipe.Name,
        shape.Linears.Select(linear => CreateFactors(recipe, linear, cancellation)),
        shape.BaseModel);

    private static LoraFactors CreateFactors(AdapterRecipe recipe, LinearShape linear, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        int rank = recipe.MlpRank > 0 && linear.Name.Contains(".mlp.", StringComparison.Ordinal) ? recipe.MlpRank : recipe.Rank;
        float scale = recipe.RsLora ? recipe.Alpha / MathF.Sqrt(rank) : recipe.Alpha / rank;

        // For x of unit variance x·Aᵀ has it too, the base's outputs have SyntheticModel.WeightDeviation²·K.
        double deviationA = 1 / Math.Sqrt(linear.InFeatures);
        double deviationB = Effect * SyntheticModel.WeightDeviation * Math.Sqrt(linear.InFeatures)
            / (scale * Math.Sqrt(rank));
        ulong seed = GaussianSource.Seed(Seed, $"{recipe.Name}/{linear.Name}");
        return new LoraFactors(
            linear.Name,
            Matrix(seed, rank, linear.InFeatures, deviationA, recipe.DType),
            Matrix(~seed, linear.OutFeatures, rank, deviationB, recipe.DType),
            scale);
    }

    private static HostMatrix Matrix(ulong seed, long rows, long columns, double deviation, DType type)
    {
        float[] values = new float[rows * columns];
        GaussianSource.Fill(seed, (float)deviation, values);
        return type switch
        {
            DType.Float16 => HostMatrix.From(Array.ConvertAll(values, static value => (Half)value), rows, columns),
            DType.BFloat16 => HostMatrix.From(Array.ConvertAll(values, static value => (BFloat16)value), rows, columns),
            _ => HostMatrix.From(values, rows, columns),
        };
    }
}
