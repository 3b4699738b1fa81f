using NUnit.Framework;

namespace LoraKernels.Tests.Cli;

[TestFixture]
public sealed class CommandLineTests
{
    private static readonly string[] Commands = ["info", "inspect", "verify", "demo"];

    [TestCaseSource(nameof(Commands))]
    public void HelpOfACommandEndsWithExamplesOfIt(string command)
    {
        CommandLine run = CommandLine.Run(command, "--help");

        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Error, Is.Empty);
        string examples = run.Output[run.Output.IndexOf("Examples:", StringComparison.Ordinal)..];
        Assert.That(examples, Does.Contain($"lorakernels {command}"));
        Assert.That(run.Output, Does.Contain($"lorakernels {command}").And.Contain("--json").And.Contain("--verbose"));
    }

    [Test]
    public void HelpOfTheToolNamesEveryCommand()
    {
        CommandLine run = CommandLine.Run("--help");

        Assert.That(run.ExitCode, Is.Zero);
        foreach (string command in Commands)
            Assert.That(run.Output, Does.Contain($"lorakernels {command}"));
    }

    [Test]
    public void VersionIsOneLine()
    {
        CommandLine run = CommandLine.Run("--version");

        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Output.TrimEnd(), Does.Match(@"^lorakernels [0-9]+\.[0-9]+\.[0-9]+[^\s]*$"));
    }

    [Test]
    public void NoCommandIsAUsageErrorThatShowsTheHelp()
    {
        CommandLine run = CommandLine.Run();

        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Output, Is.Empty);
        Assert.That(run.Error, Does.Contain("demo"));
    }

    [TestCase("serve", "serve")]
    [TestCase("demo --rowz 3", "--rowz")]
    [TestCase("demo --rows 0", "allowed are 1 ... 4096")]
    [TestCase("demo --rows 4097", "allowed are 1 ... 4096")]
    [TestCase("demo --rows many", "many")]
    [TestCase("demo --dtype fp64", "fp64")]
    [TestCase("demo --layer -1", "--layer")]
    [TestCase("demo --model somewhere", "--model needs --adapters")]
    [TestCase("inspect", "inspect")]
    [TestCase("verify --device tpu", "tpu")]
    public void WrongUsageExitsWith2AndSaysWhatIsWrong(string line, string named)
    {
        CommandLine run = CommandLine.Run(line.Split(' '));

        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Output, Is.Empty);
        Assert.That(run.Error, Does.StartWith("error: ").And.Contain(named));
    }

    [Test]
    public void AFailureHasAStackTraceOnlyWhenAskedFor()
    {
        string[] line = ["inspect", "/no/such/checkpoint"];

        CommandLine plain = CommandLine.Run(line);
        CommandLine verbose = CommandLine.Run([.. line, "--verbose"]);

        Assert.That(plain.ExitCode, Is.EqualTo(1));
        Assert.That(plain.Error.TrimEnd().Split('\n'), Has.Length.EqualTo(1));
        Assert.That(plain.Error, Does.StartWith("error: ").And.Contain("/no/such/checkpoint"));
        Assert.That(verbose.ExitCode, Is.EqualTo(1));
        Assert.That(verbose.Error, Does.Contain("   at "));
    }
}
