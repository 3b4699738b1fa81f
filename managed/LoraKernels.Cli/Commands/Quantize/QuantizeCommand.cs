using System.CommandLine;
using System.Globalization;
using LoraKernels.Checkpoints;

namespace LoraKernels.Cli.Commands.Quantize;

/// <summary><c>lorakernels quantize</c></summary>
internal sealed class QuantizeCommand : CliCommand
{
    private const string Int4 = "int4";

    private readonly Argument<string> _model = new("model")
    {
        Description = "A model of F32, F16 or BF16 in safetensors: its folder, index or file",
        HelpName = "MODEL",
    };

    private readonly Argument<string> _output = new("output")
    {
        Description = "The folder to make; it appears when all is done",
        HelpName = "OUT",
    };

    private readonly Option<string> _format = new("--format")
    {
        Description = "nf4 or fp4, as bitsandbytes has them, or int4, as compressed-tensors has it (pack-quantized)",
        HelpName = "FORMAT",
        DefaultValueFactory = static _ => "nf4",
    };

    private readonly Option<int?> _groupSize = new("--group-size")
    {
        Description = "Weights that share a scale; nf4, fp4: a power of two from 32 to 4096, 64 if not given; int4: a "
            + "multiple of 32, 128 if not given",
        HelpName = "N",
    };

    private readonly Option<bool?> _nested = new("--nested")
    {
        Description = "nf4, fp4: quantize the scales too (double quantization); true if not given",
        HelpName = "true|false",
    };

    private readonly Option<bool?> _symmetric = new("--symmetric")
    {
        Description = "int4: no zero points; true if not given",
        HelpName = "true|false",
    };

    private readonly Option<string[]> _include = Patterns("--include",
        "Only modules that match, also those kept by default ("
        + string.Join(", ", ModuleSelection.KeptByDefault) + "); may be repeated");

    private readonly Option<string[]> _exclude = Patterns("--exclude", "No modules that match; may be repeated");

    private readonly Option<string?> _device = DeviceOption();

    private readonly Option<bool> _all = new("--all") { Description = "List every module, not those of one shape in one line" };

    public QuantizeCommand(CommonOptions common, Terminal terminal, CancellationToken cancellation)
        : base("quantize", "Make a 4-bit model of one in safetensors.", common, terminal, cancellation)
    {
        _format.AcceptOnlyFromAmong("nf4", "fp4", Int4);
        Arguments.Add(_model);
        Arguments.Add(_output);
        foreach (Option option in (Option[])[_format, _groupSize, _nested, _symmetric, _include, _exclude, _device, _all])
            Options.Add(option);
    }

    public override IReadOnlyList<Example> Examples { get; } =
    [
        new("lorakernels quantize Mistral-7B-v0.1/ mistral-nf4/", "NF4 in groups of 64, nested, for transformers and PEFT"),
        new("lorakernels quantize model/ model-int4/ --format int4 --group-size 32", "int4 in groups of 32, for vLLM"),
        new("lorakernels quantize model/ out/ --exclude 'model.layers.0.*' --exclude down_proj", "all but some modules"),
        new("lorakernels quantize model/ out/ --json | jq '.modules | max_by(.relativeRms)'", "the module that loses most"),
    ];

    protected override int Execute(ParseResult parsed)
    {
        string model = Path.GetFullPath(parsed.GetRequiredValue(_model));
        string output = Path.GetFullPath(parsed.GetRequiredValue(_output));
        if (!File.Exists(model) && !Directory.Exists(model))
            throw new CommandException($"There is no file or folder {model}.");
        QuantizeOptions options = OptionsOf(parsed);
        CheckpointQuantizer quantizer = new(options, new ModuleSelection
        {
            Include = parsed.GetValue(_include) ?? [],
            Exclude = parsed.GetValue(_exclude) ?? [],
        });

        QuantizedModel result;
        using (ProgressLine progress = new(Terminal, "Opening the model", Cancellation))
        using (Device device = OpenDevice(parsed.GetValue(_device)))
            result = quantizer.Run(model, output, device, new Watch(progress), Cancellation);

        QuantizeReport report = QuantizeReport.Of(model, output, options, result);
        if (WantsJson(parsed))
            WriteJson(report, CliJson.Default.QuantizeReport);
        else
            QuantizeView.Write(Terminal.Output, report, parsed.GetValue(_all));
        return ExitCode.Ok;
    }

    private QuantizeOptions OptionsOf(ParseResult parsed)
    {
        string format = parsed.GetRequiredValue(_format);
        bool integers = format == Int4;
        if (integers && parsed.GetValue(_nested) is not null)
            throw new CommandException("--nested: int4 has plain scales; nf4 and fp4 can be nested", ExitCode.Usage);
        if (!integers && parsed.GetValue(_symmetric) is not null)
            throw new CommandException($"--symmetric: {format} has no zero points; int4 can have them", ExitCode.Usage);
        int groupSize = parsed.GetValue(_groupSize) ?? (integers ? 128 : 64);
        bool allowed = integers
            ? groupSize >= 32 && groupSize % 32 == 0
            : groupSize is >= 32 and <= 4096 && int.IsPow2(groupSize);
        if (!allowed)
        {
            string range = integers ? "multiples of 32" : "powers of two from 32 to 4096";
            throw new CommandException(string.Create(CultureInfo.InvariantCulture,
                $"--group-size: is {groupSize}; {format} allows {range}"), ExitCode.Usage);
        }

        bool nested = parsed.GetValue(_nested) ?? true;
        return format switch
        {
            "nf4" => QuantizeOptions.Nf4(groupSize, nested),
            "fp4" => QuantizeOptions.Fp4(groupSize, nested),
            _ => QuantizeOptions.Int4(groupSize, zeroPoints: parsed.GetValue(_symmetric) == false),
        };
    }

    private static Option<string[]> Patterns(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "PATTERN",
        Arity = ArgumentArity.OneOrMore,
    };

    // Progress<T> would report from another thread, after the line is gone.
    private sealed class Watch(ProgressLine line) : IProgress<QuantizeProgress>
    {
        public void Report(QuantizeProgress value) => line.Report(
            value.Name, value.TotalBytes == 0 ? null : (double)value.Bytes / value.TotalBytes);
    }
}
