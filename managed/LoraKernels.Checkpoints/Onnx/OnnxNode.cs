namespace LoraKernels.Checkpoints;

/// <summary>A MatMulNBits node of an ONNX model's graph.</summary>
/// <param name="Name">Its own; may be empty.</param>
/// <param name="Inputs">Names, empty where an optional one is absent.</param>
/// <param name="Attributes">Those that are whole numbers.</param>
internal sealed record OnnxNode(string Name, IReadOnlyList<string> Inputs, IReadOnlyDictionary<string, long> Attributes)
{
    /// <summary>The name of an input; null when the node has it not.</summary>
    public string? Input(int index) => index < Inputs.Count && Inputs[index].Length > 0 ? Inputs[index] : null;
}
