using System.Text;
using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

public sealed class BitsAndBytesTests : FolderTests
{
    private const string Weight = Nf4Files.Name + ".weight";
    private const string State = Weight + ".quant_state.bitsandbytes__nf4";

    private string ModelPath => Folder.Combine("model.safetensors");

    [Test]
    public void ReadsPlainAbsmax()
    {
        SafetensorsWriter.Write(ModelPath, Nf4Files.Plain());
        using var checkpoint = Checkpoint.Open(ModelPath);
        var weight = checkpoint.ReadWeight(Nf4Files.Name);
        Assert.Multiple(() =>
        {
            Assert.That(checkpoint.Weights.Single(), Is.EqualTo(new WeightInfo(
                Nf4Files.Name, WeightFormat.BitsAndBytesNf4, 6, 48, 64, false, 144 + 20 + 64)));
            Assert.That(checkpoint.Tensors, Is.Empty);
            Assert.That((weight.Format, weight.OutFeatures, weight.InFeatures, weight.GroupSize, weight.OuterGroupSize),
                Is.EqualTo((WeightFormat.BitsAndBytesNf4, 6, 48, 64, 0)));
            Assert.That(weight.Codes.ToArray(), Is.EqualTo(SafetensorsBytes.Data(144)));
            Assert.That(weight.Scales.ToArray(), Is.EqualTo(SafetensorsBytes.Data(20)));
            Assert.That(weight.Table.ToArray(), Is.EqualTo(SafetensorsBytes.Data(64)));
            Assert.That(weight.OuterTable.IsEmpty && weight.OuterScales.IsEmpty);
            Assert.That(weight.Bytes, Is.EqualTo(checkpoint.Weights[0].Bytes));
        });
    }

    [Test]
    public void ReadsNestedAbsmax()
    {
        SafetensorsWriter.Write(ModelPath, Nf4Files.Nested());
        using var checkpoint = Checkpoint.Open(ModelPath);
        var weight = checkpoint.ReadWeight(Nf4Files.Name);
        Assert.Multiple(() =>
        {
            Assert.That(checkpoint.Weights.Single(), Is.EqualTo(new WeightInfo(
                Nf4Files.Name, WeightFormat.BitsAndBytesNf4, 6, 48, 64, true, 144 + 5 + 64 + 1024 + 8)));
            Assert.That((weight.OuterGroupSize, weight.OuterOffset), Is.EqualTo((4, 0.03125f)));
            Assert.That(weight.Scales.ToArray(), Is.EqualTo(SafetensorsBytes.Data(5)));
            Assert.That(weight.OuterTable.ToArray(), Is.EqualTo(SafetensorsBytes.Data(1024)));
            Assert.That(weight.OuterScales.ToArray(), Is.EqualTo(SafetensorsBytes.Data(8)));
        });
    }

    [TestCase(TensorType.BF16, 72, 1), TestCase(TensorType.F16, 1, 72), TestCase(TensorType.F32, 36, 1)]
    public void TakesCodesOfAnyStorageType(TensorType type, int rows, int columns)
    {
        SafetensorsWriter.Write(ModelPath, Nf4Files.Plain().With(Nf4Files.Entry("weight", type, rows, columns)));
        using var checkpoint = Checkpoint.Open(ModelPath);
        Assert.That(checkpoint.ReadWeight(Nf4Files.Name).Codes.ToArray(), Is.EqualTo(SafetensorsBytes.Data(144)));
    }

    [Test]
    public void PadsAnOddNumberOfWeights()
    {
        SafetensorsWriter.Write(ModelPath, Nf4Files.Plain(Nf4Files.PlainState.Replace("[6, 48]", "[41, 7]",
            StringComparison.Ordinal)));
        using var checkpoint = Checkpoint.Open(ModelPath);
        Assert.That(checkpoint.ReadWeight(Nf4Files.Name).Codes.Length, Is.EqualTo(144), "287 weights");
    }

    [TestCase("\"nf4\"", "\"fp4\"", "quant_type is 'fp4'", "'nf4'")]
    [TestCase("\"blocksize\": 64, ", "", "blocksize is missing", "32 to 4096")]
    [TestCase("64", "63", "blocksize is 63", "power of two")]
    [TestCase("64", "16", "blocksize is 16", "32 to 4096")]
    [TestCase("64", "8192", "blocksize is 8192", "32 to 4096")]
    [TestCase("64", "64.5", "blocksize is 64.5", "power of two")]
    [TestCase("\"bfloat16\"", "\"int8\"", "dtype is 'int8'", "'float16'")]
    [TestCase("\"bfloat16\"", "16", "dtype is 16", "'float16'")]
    [TestCase("[6, 48]", "[6]", "shape is a list of 1", "two whole numbers")]
    [TestCase("[6, 48]", "[6, 0]", "shape is a list of 2", "above 0")]
    [TestCase("[6, 48]", "[6, -48]", "shape is a list of 2", "above 0")]
    [TestCase("[6, 48]", "[9223372036854775807, 2]", "more elements than 2^63", "9223372036854775807")]
    [TestCase("[6, 48]}", "[6, 48]", "not valid JSON", "")]
    public void RefusesBadQuantStates(string old, string changed, string part, string other)
    {
        SafetensorsWriter.Write(ModelPath, Nf4Files.Plain(Nf4Files.PlainState.Replace(old, changed,
            StringComparison.Ordinal)));
        Refusals.Expect(() => Checkpoint.Open(ModelPath), ModelPath, State, part, other);
    }

    [TestCase("\": 4,", "\": 0,", "nested_blocksize is 0")]
    [TestCase("\"float32\"", "\"float16\"", "nested_dtype is 'float16'")]
    [TestCase("0.03125", "1e300", "nested_offset is 1e300")]
    [TestCase(", \"nested_offset\": 0.03125", "", "nested_offset is missing")]
    public void RefusesBadNestedQuantStates(string old, string changed, string part)
    {
        SafetensorsWriter.Write(ModelPath, Nf4Files.Nested(Nf4Files.NestedState.Replace(old, changed,
            StringComparison.Ordinal)));
        Refusals.Expect(() => Checkpoint.Open(ModelPath), ModelPath, State, part);
    }

    [Test]
    public void RefusesPartsThatDoNotFitTheQuantState()
    {
        void Expect(List<SafetensorsEntry> entries, string tensor, params string[] parts)
        {
            SafetensorsWriter.Write(ModelPath, entries);
            Refusals.Expect(() => Checkpoint.Open(ModelPath), ModelPath, $"{Nf4Files.Name}.{tensor}", parts);
        }
        foreach (string part in (string[])["weight", "weight.absmax", "weight.quant_map"])
            Expect(Nf4Files.Plain().Without(part), part, "missing", State);
        foreach (string part in (string[])["weight.nested_absmax", "weight.nested_quant_map"])
            Expect(Nf4Files.Nested().Without(part), part, "missing", State);
        Expect(Nf4Files.Plain().With(Nf4Files.Entry("weight", TensorType.U8, 143, 1)), "weight", "143 bytes",
            "[6, 48]", "144 bytes");
        Expect(Nf4Files.Plain().With(Nf4Files.Entry("weight", TensorType.U8, 72, 2)), "weight", "[72, 2]", "row or column");
        Expect(Nf4Files.Plain().With(Nf4Files.Entry("weight", TensorType.I8, 144, 1)), "weight", "I8", "U8, BF16");
        Expect(Nf4Files.Plain().With(Nf4Files.Entry("weight.absmax", TensorType.F32, 6)), "weight.absmax", "F32 [6]",
            "5 elements");
        Expect(Nf4Files.Plain().With(Nf4Files.Entry("weight.absmax", TensorType.U8, 5)), "weight.absmax", "U8 [5]",
            "expected F32");
        Expect(Nf4Files.Nested().With(Nf4Files.Entry("weight.absmax", TensorType.F32, 5)), "weight.absmax", "expected U8");
        Expect(Nf4Files.Plain().With(Nf4Files.Entry("weight.quant_map", TensorType.F32, 15)), "weight.quant_map", "16");
        Expect(Nf4Files.Nested().With(Nf4Files.Entry("weight.nested_quant_map", TensorType.F32, 16)),
            "weight.nested_quant_map", "256 elements");
        Expect(Nf4Files.Nested().With(Nf4Files.Entry("weight.nested_absmax", TensorType.F32, 1)),
            "weight.nested_absmax", "2 elements");
        Expect(Nf4Files.Plain().With(Nf4Files.Entry("weight.nested_absmax", TensorType.F32, 2)),
            "weight.nested_absmax", "no nested_blocksize");
        Expect(Nf4Files.Plain().With(Nf4Files.State(Nf4Files.PlainState, TensorType.I8)),
            "weight.quant_state.bitsandbytes__nf4", "I8", "expected U8");
        Expect(Nf4Files.Plain().With(Nf4Files.State(Nf4Files.PlainState + new string(' ', 70_000))),
            "weight.quant_state.bitsandbytes__nf4", "65536");
    }

    [TestCase(false), TestCase(true)]
    public void GivesBackWhatItWrote(bool nested)
    {
        var written = new WeightTensors
        {
            Format = WeightFormat.BitsAndBytesNf4,
            OutFeatures = 5,
            InFeatures = 33,
            GroupSize = 32,
            OuterGroupSize = nested ? 2 : 0,
            OuterOffset = nested ? 0.1f : 0,
            Codes = SafetensorsBytes.Data(83),
            Scales = SafetensorsBytes.Data(nested ? 6 : 24),
            OuterTable = SafetensorsBytes.Data(nested ? 1024 : 0),
            OuterScales = SafetensorsBytes.Data(nested ? 12 : 0),
        };
        SafetensorsWriter.Write(ModelPath, BitsAndBytesWriter.Entries("layer", written, DType.Float16));
        using var checkpoint = Checkpoint.Open(ModelPath);
        var read = checkpoint.ReadWeight("layer");
        Assert.Multiple(() =>
        {
            Assert.That((read.OutFeatures, read.InFeatures, read.GroupSize, read.OuterGroupSize, read.OuterOffset),
                Is.EqualTo((5, 33, 32, written.OuterGroupSize, written.OuterOffset)));
            Assert.That(read.Codes.ToArray(), Is.EqualTo(written.Codes.ToArray()));
            Assert.That(read.Scales.ToArray(), Is.EqualTo(written.Scales.ToArray()));
            Assert.That(read.OuterTable.ToArray(), Is.EqualTo(written.OuterTable.ToArray()));
            Assert.That(read.OuterScales.ToArray(), Is.EqualTo(written.OuterScales.ToArray()));
            // An empty table is written as the standard one: -1, 0 and 1 at codes 0, 7 and 15.
            Assert.That(BitConverter.ToSingle(read.Table.Span), Is.EqualTo(-1f));
            Assert.That(BitConverter.ToSingle(read.Table.Span[28..]), Is.Zero);
            Assert.That(BitConverter.ToUInt32(read.Table.Span[4..]), Is.EqualTo(0xbf3239b1));
            Assert.That(BitConverter.ToSingle(read.Table.Span[60..]), Is.EqualTo(1f));
        });
    }

    [Test]
    public void WritesBitsAndBytesKeysAndShapes()
    {
        var tensors = new WeightTensors
        {
            Format = WeightFormat.BitsAndBytesNf4,
            OutFeatures = 2,
            InFeatures = 32,
            GroupSize = 32,
            Codes = new byte[32],
            Scales = new byte[8],
        };
        SafetensorsWriter.Write(ModelPath, BitsAndBytesWriter.Entries("m", tensors));
        using var file = SafetensorsFile.Open(ModelPath);
        Assert.Multiple(() =>
        {
            Assert.That(file.Tensors.Select(t => t.Name), Is.EquivalentTo(
                "m.weight m.weight.absmax m.weight.quant_map m.weight.quant_state.bitsandbytes__nf4".Split(' ')));
            Assert.That(file.Find("m.weight")!.ShapeText, Is.EqualTo("[32, 1]"));
            Assert.That(file.Find("m.weight.absmax")!.ShapeText, Is.EqualTo("[2]"));
            Assert.That(Encoding.UTF8.GetString(file.Read("m.weight.quant_state.bitsandbytes__nf4")), Is.EqualTo(
                """{"quant_type":"nf4","blocksize":32,"dtype":"bfloat16","shape":[2,32]}""".PadRight(256)));
        });
        Assert.That(() => BitsAndBytesWriter.Entries("m", new WeightTensors
        {
            Format = WeightFormat.GgufQ4_0,
            OutFeatures = 1,
            InFeatures = 32,
            GroupSize = 32,
            Codes = new byte[18],
        }), Throws.ArgumentException.With.Message.Contains("GgufQ4_0"));
    }
}
