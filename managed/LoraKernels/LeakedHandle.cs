namespace LoraKernels;

/// <summary>An object with native memory that was left to the garbage collector instead of being disposed.</summary>
/// <param name="Type">The public type, such as "QuantizedWeight".</param>
/// <param name="AllocationStack">The stack trace of where it was made, one frame a line.</param>
public sealed record LeakedHandle(string Type, string AllocationStack);
