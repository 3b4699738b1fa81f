namespace LoraKernels.Cli.Commands.Demo;

/// <summary>What the command line asks of the demo.</summary>
/// <param name="Device">A device's name, or null for the best one.</param>
/// <param name="Model">A checkpoint, or null for the demo's own.</param>
/// <param name="Adapters">A folder, or null for the demo's own.</param>
internal sealed record DemoOptions(
    string? Device, string? Model, string? Adapters, int Layer, int Rows, bool AnyBase, string? Cache, bool Fresh);
