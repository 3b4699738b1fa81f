using System.Diagnostics;
using System.Text;
using NUnit.Framework;

namespace LoraKernels.PackageTests;

/// <summary>Runs programs as a user at a terminal would, apart from the build that runs these tests.</summary>
internal static class DotnetCommand
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    /// <summary>Runs <c>dotnet</c> and returns its output.</summary>
    /// <exception cref="AssertionException">It failed; the message has all of its output.</exception>
    public static string Run(string folder, params string[] arguments) =>
        RunProgram("dotnet", folder, arguments);

    /// <summary>Runs a program and returns its standard output.</summary>
    /// <exception cref="AssertionException">It failed; the message has all of its output.</exception>
    public static string RunProgram(string program, string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        LeaveTheOuterBuild(start.Environment);

        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var output = new StringBuilder();
        var errors = new StringBuilder();
        process.OutputDataReceived += (_, line) => output.AppendLine(line.Data);
        process.ErrorDataReceived += (_, line) => errors.AppendLine(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();

        string command = $"{program} {string.Join(' ', arguments)}";
        if (!process.WaitForExit(Limit))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"'{command}' ran for longer than {Limit}.{Environment.NewLine}{output}{errors}");
        }

        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, $"'{command}' failed.{Environment.NewLine}{output}{errors}");
        return output.ToString();
    }

    // The outer build tells its children where its MSBuild is. Servers that outlive a command would keep its output
    // open.
    private static void LeaveTheOuterBuild(IDictionary<string, string?> environment)
    {
        foreach (string name in environment.Keys.ToList())
        {
            if (name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase))
                environment.Remove(name);
        }

        environment["MSBUILDDISABLENODEREUSE"] = "1";
        environment["UseSharedCompilation"] = "false";
        environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        environment["DOTNET_NOLOGO"] = "1";
        environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
    }
}
