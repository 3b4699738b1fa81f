using System.Runtime.CompilerServices;
using LoraKernels.Verification;

namespace LoraKernels.EmulatedTests;

/// <summary>Chooses the native library before anything in this process can load another.</summary>
internal static class EmulatedLibrary
{
    [ModuleInitializer]
    internal static void Choose() => EmulatedDevice.UseLibrary();
}
