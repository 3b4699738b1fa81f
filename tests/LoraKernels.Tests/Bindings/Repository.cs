using System.Reflection;

namespace LoraKernels.Tests.Bindings;

/// <summary>Files of the source tree that the tests were built from.</summary>
internal static class Repository
{
    public static string Root { get; } = typeof(Repository).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key == "RepositoryRoot").Value!;

    public static string HeaderPath { get; } = Path.Combine(Root, "native", "include", "lorakernels.h");

    public static string BindingsFolder { get; } = Path.Combine(Root, "bindings");
}
