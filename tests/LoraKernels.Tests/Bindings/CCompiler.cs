using System.Diagnostics;

namespace LoraKernels.Tests.Bindings;

/// <summary>The machine's C compiler: <c>CC</c>, or <c>cc</c>. Building the native library needs one anyway.</summary>
internal static class CCompiler
{
    /// <summary>Compiles one C11 file.</summary>
    /// <param name="source">The text of the file.</param>
    /// <param name="output">The file to write: a program, or what <paramref name="arguments"/> make of it.</param>
    /// <param name="arguments">More of the compiler's arguments.</param>
    /// <exception cref="InvalidOperationException">It does not compile; the message is the compiler's.</exception>
    public static void Compile(string source, string output, params string[] arguments)
    {
        string file = output + ".c";
        File.WriteAllText(file, source);
        string compiler = Environment.GetEnvironmentVariable("CC") is { Length: > 0 } chosen ? chosen : "cc";
        Run(compiler, ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-o", output, file, .. arguments]);
    }

    /// <summary>Runs a program and returns what it prints.</summary>
    /// <exception cref="InvalidOperationException">It does not end with 0.</exception>
    public static string Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {errors.Result}");
    }
}
