using LoraKernels.Cli.Commands.Demo;
using NUnit.Framework;

namespace LoraKernels.Tests.Cli;

[TestFixture]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class DemoCacheTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Test]
    public void ASecondRunUsesTheFilesOfTheFirst()
    {
        DemoFiles first = TinyFiles.Write(_folder.Path);
        string model = Path.Combine(first.Model, "model.safetensors");
        DateTime written = File.GetLastWriteTimeUtc(model);

        DemoFiles second = TinyFiles.Write(_folder.Path);

        Assert.That(first.Written, Is.True);
        Assert.That(second.Written, Is.False);
        Assert.That(second.Bytes, Is.EqualTo(first.Bytes));
        Assert.That(File.GetLastWriteTimeUtc(model), Is.EqualTo(written));
    }

    [Test]
    public void TheFilesAreTheSameWhereverTheyAreWritten()
    {
        DemoFiles one = TinyFiles.Write(_folder["one"]), other = TinyFiles.Write(_folder["other"]);

        foreach (string file in Directory.EnumerateFiles(one.Folder, "*.safetensors", SearchOption.AllDirectories))
        {
            string twin = Path.Combine(other.Folder, Path.GetRelativePath(one.Folder, file));
            Assert.That(File.ReadAllBytes(twin), Is.EqualTo(File.ReadAllBytes(file)), file);
        }
    }

    [TestCase("truncated")]
    [TestCase("missing")]
    [TestCase("unstamped")]
    [TestCase("mis-stamped")]
    public void ADamagedEntryIsWrittenAgain(string damage)
    {
        DemoFiles files = TinyFiles.Write(_folder.Path);
        string model = Path.Combine(files.Model, "model.safetensors"), stamp = Path.Combine(files.Folder, "stamp.json");
        byte[] whole = File.ReadAllBytes(model);
        switch (damage)
        {
            case "truncated":
                File.WriteAllBytes(model, whole[..^1]);
                break;
            case "missing":
                File.Delete(model);
                break;
            case "unstamped":
                File.Delete(stamp);
                break;
            default:
                File.WriteAllText(stamp, "{");
                break;
        }

        Assert.That(TinyFiles.Write(_folder.Path).Written, Is.True);
        Assert.That(File.ReadAllBytes(model), Is.EqualTo(whole));
        Assert.That(Directory.EnumerateFileSystemEntries(_folder.Path), Has.Exactly(1).Items);
    }

    [Test]
    public void AnInterruptedWriteLeavesNothingAndKeepsWhatWasThere()
    {
        DemoFiles before = TinyFiles.Write(_folder.Path);
        using CancellationTokenSource interrupt = new();
        int reports = 0;

        Assert.That(
            () => DemoFiles.Provide(
                new DemoCache(_folder.Path),
                TinyFiles.Shape,
                fresh: true,
                (_, _) =>
                {
                    if (Interlocked.Increment(ref reports) == 5)
                        interrupt.Cancel();
                },
                interrupt.Token),
            Throws.InstanceOf<OperationCanceledException>());

        Assert.That(Directory.EnumerateFileSystemEntries(_folder.Path), Is.EqualTo(new[] { before.Folder }));
        Assert.That(TinyFiles.Write(_folder.Path).Written, Is.False);
    }
}
