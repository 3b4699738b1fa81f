namespace LoraKernels.Tests.Operations;

/// <summary>The one backend that the linked tests run on here.</summary>
internal static class TestDevices
{
    public static IReadOnlyList<string> Names => ["emulated"];

    public static IReadOnlyList<string> NamesAndModes => Names;
}
